package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// certificateLife outlasts any test cluster, and is short enough that a forgotten key does no harm for long.
const certificateLife = 30 * 24 * time.Hour

// A client of the API server: the name of its files, and who it is.
type client struct{ file, user, group string }

// pkiCommand writes certificates, the key of service accounts and a kubeconfig for each client into --dir.
func pkiCommand() *cobra.Command {
	var dir, server, node string
	var addresses []string
	c := &cobra.Command{Use: "pki", Short: "write certificates, keys and kubeconfigs of a cluster", Args: cobra.NoArgs}
	c.Flags().StringVar(&dir, "dir", "", "folder to write to; nothing is done if it has a kubeconfig")
	c.Flags().StringVar(&server, "server", "", "URL of the API server")
	c.Flags().StringVar(&node, "node", "", "name of the node that has a kubelet")
	c.Flags().StringSliceVar(&addresses, "address", nil, "addresses that the API server and the kubelet answer on")
	c.RunE = func(*cobra.Command, []string) error {
		if _, err := os.Stat(filepath.Join(dir, "admin.kubeconfig")); err == nil {
			return nil
		}
		return writePKI(dir, server, node, addresses)
	}
	return c
}

func writePKI(dir, server, node string, addresses []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(dir, "ca")
	if err != nil {
		return err
	}
	front, err := newAuthority(dir, "front-proxy-ca")
	if err != nil {
		return err
	}
	serving := append([]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}, addresses...)
	clients := []client{
		{"controller-manager", "system:kube-controller-manager", ""},
		{"scheduler", "system:kube-scheduler", ""},
		{"proxy", "system:kube-proxy", ""},
		{"apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"},
		{"admin", "admin", "system:masters"}, // the last one: its kubeconfig says that all is there
	}
	errs := []error{
		ca.issue(dir, client{"apiserver", "kube-apiserver", ""}, serving),
		front.issue(dir, client{"front-proxy-client", "front-proxy-client", ""}, nil),
		serviceAccountKeys(dir),
	}
	if node != "" {
		errs = append(errs, ca.issue(dir, client{"kubelet-server", node, ""}, append([]string{node}, addresses...)))
		clients = append([]client{{"kubelet", "system:node:" + node, "system:nodes"}}, clients...)
	}
	for _, c := range clients {
		errs = append(errs, ca.issue(dir, c, nil), writeKubeconfig(dir, c.file, server))
	}
	return errors.Join(errs...)
}

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(dir, name string) (*authority, error) {
	template := newTemplate(client{user: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a := &authority{certificate: template}
	der, key, err := a.sign(template)
	if err != nil {
		return nil, err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.key = key
	return a, writePair(dir, name, der, key)
}

// issue writes a certificate that serves as client and, if it has names, as server.
func (a *authority) issue(dir string, c client, names []string) error {
	template := newTemplate(c)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(names) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, key, err := a.sign(template)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", c.file, err)
	}
	return writePair(dir, c.file, der, key)
}

// sign makes a key for the template and signs it: by the authority's key, or by its own while the authority has none.
func (a *authority) sign(template *x509.Certificate) ([]byte, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), signer)
	return der, key, err
}

func newTemplate(c client) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // cannot fail since Go 1.24: it ends the program instead
	subject := pkix.Name{CommonName: c.user}
	if c.group != "" {
		subject.Organization = []string{c.group}
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certificateLife)}
}

func serviceAccountKeys(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return errors.Join(writeKey(dir, "sa", key), writePEM(dir, "sa.pub", "PUBLIC KEY", public))
}

func writePair(dir, name string, der []byte, key crypto.Signer) error {
	return errors.Join(writeKey(dir, name, key), writePEM(dir, name+".crt", "CERTIFICATE", der))
}

func writeKey(dir, name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, name+".key", "PRIVATE KEY", der)
}

func writePEM(dir, name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeKubeconfig holds everything in one file, so that it can be copied elsewhere.
func writeKubeconfig(dir, name, server string) error {
	read := func(file string) []byte {
		data, _ := os.ReadFile(filepath.Join(dir, file)) // written just before; an empty one is refused by every client
		return data
	}
	const cluster = "microapp"
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: read("ca.crt")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: read(name + ".crt"), ClientKeyData: read(name + ".key")}
	config.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: name}
	config.CurrentContext = cluster
	return clientcmd.WriteToFile(*config, filepath.Join(dir, name+".kubeconfig"))
}
