package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

const (
	dnsSeconds = 5   // how long an answer may be kept
	udpLimit   = 512 // what a resolver must take; it asks again by TCP for more
	dnsZone    = ".svc.cluster.local."
)

// nameserver answers for the Services of the cluster; whatever else is asked for does not exist.
type nameserver struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

func dnsCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{Use: "dns", Short: "answer for the names of Services", Args: cobra.NoArgs}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on")
	connected := connect(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := connected()
		if err != nil {
			return err
		}
		factory := informers.NewSharedInformerFactory(api, 0)
		n := nameserver{factory.Core().V1().Services().Lister(), factory.Discovery().V1().EndpointSlices().Lister()}
		factory.Start(c.Context().Done())
		factory.WaitForCacheSync(c.Context().Done())
		return n.listen(c.Context(), listen)
	}
	return c
}

func (n nameserver) listen(ctx context.Context, address string) error {
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { udp.Close(); tcp.Close() })
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return // closed
			}
			go n.serveStream(conn)
		}
	}()
	buffer := make([]byte, 4096)
	for {
		size, from, err := udp.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			continue // a client that went away
		}
		if answer := n.answer(buffer[:size], udpLimit); answer != nil {
			udp.WriteTo(answer, from)
		}
	}
}

func (n nameserver) serveStream(conn net.Conn) {
	defer conn.Close()
	for {
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		question := make([]byte, size)
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := n.answer(question, 1<<16-1)
		if answer == nil || binary.Write(conn, binary.BigEndian, uint16(len(answer))) != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// answer is nil for what is not a question.
func (n nameserver) answer(packet []byte, limit int) []byte {
	var message dnsmessage.Message
	if err := message.Unpack(packet); err != nil || message.Response || len(message.Questions) != 1 {
		return nil
	}
	question := message.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true, RecursionDesired: message.RecursionDesired, RecursionAvailable: true},
		Questions: message.Questions,
	}
	addresses, exists := n.lookup(question.Name.String())
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if question.Type == dnsmessage.TypeA || question.Type == dnsmessage.TypeALL {
		for _, a := range addresses {
			header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: dnsSeconds}
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		}
	}
	packed, err := reply.Pack()
	if err == nil && len(packed) > limit {
		reply.Answers, reply.Truncated = nil, true
		packed, err = reply.Pack()
	}
	if err != nil {
		log.Print(err)
		return nil
	}
	return packed
}

// lookup finds SERVICE.NAMESPACE.svc.cluster.local. and, for Services without an address of their own, POD.SERVICE.NAMESPACE...
func (n nameserver) lookup(name string) (addresses []netip.Addr, exists bool) {
	name, inZone := strings.CutSuffix(strings.ToLower(name), dnsZone)
	parts := strings.Split(name, ".")
	if !inZone || len(parts) < 2 || len(parts) > 3 {
		return nil, false
	}
	namespace, host := parts[len(parts)-1], ""
	if len(parts) == 3 {
		host = parts[0]
	}
	service, err := n.services.Services(namespace).Get(parts[len(parts)-2])
	if err != nil || service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil, false
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		address, err := netip.ParseAddr(service.Spec.ClusterIP)
		return []netip.Addr{address}, host == "" && err == nil
	}
	addresses = n.endpoints(service, host)
	return addresses, host == "" || len(addresses) > 0
}

// endpoints are the addresses of the ready pods (of all, if the Service publishes them), or of the one pod with that name.
func (n nameserver) endpoints(service *corev1.Service, host string) (addresses []netip.Addr) {
	slices, _ := n.slices.EndpointSlices(service.Namespace).List(labels.Set{discoveryv1.LabelServiceName: service.Name}.AsSelector()) // from memory: cannot fail
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			named := host == "" || endpoint.Hostname != nil && *endpoint.Hostname == host
			if !named || !ready && !service.Spec.PublishNotReadyAddresses {
				continue
			}
			for _, text := range endpoint.Addresses {
				if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
					addresses = append(addresses, a)
				}
			}
		}
	}
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	return addresses
}
