package main

import (
	"crypto"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
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

func newAuthority(dir, name string) (authority, error) {
	certificate, key, err := pkiutil.NewCertificateAuthority(configuration(client{user: name}))
	if err != nil {
		return authority{}, err
	}
	return authority{certificate, key}, pkiutil.WriteCertAndKey(dir, name, certificate, key)
}

// issue writes a certificate that serves as client and, if it has names, as server.
func (a authority) issue(dir string, c client, names []string) error {
	config := configuration(c)
	config.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(names) > 0 {
		config.Usages = append(config.Usages, x509.ExtKeyUsageServerAuth)
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			config.AltNames.IPs = append(config.AltNames.IPs, ip)
		} else {
			config.AltNames.DNSNames = append(config.AltNames.DNSNames, n)
		}
	}
	certificate, key, err := pkiutil.NewCertAndKey(a.certificate, a.key, config)
	if err != nil {
		return err
	}
	return pkiutil.WriteCertAndKey(dir, c.file, certificate, key)
}

func configuration(c client) *pkiutil.CertConfig {
	config := certutil.Config{CommonName: c.user}
	if c.group != "" {
		config.Organization = []string{c.group}
	}
	return &pkiutil.CertConfig{Config: config, NotAfter: time.Now().Add(certificateLife), EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256}
}

func serviceAccountKeys(dir string) error {
	key, err := pkiutil.NewPrivateKey(kubeadm.EncryptionAlgorithmECDSAP256)
	if err != nil {
		return err
	}
	return errors.Join(pkiutil.WriteKey(dir, "sa", key), pkiutil.WritePublicKey(dir, "sa", key.Public()))
}

// writeKubeconfig holds everything in one file, so that it can be copied elsewhere.
func writeKubeconfig(dir, name, server string) error {
	read := func(file string) []byte {
		data, _ := os.ReadFile(filepath.Join(dir, file)) // written just before; an empty one is refused by every client
		return data
	}
	config := kubeconfig.CreateWithCerts(server, "microapp", name, read("ca.crt"), read(name+".key"), read(name+".crt"))
	return kubeconfig.WriteToDisk(filepath.Join(dir, name+".kubeconfig"), config)
}
