package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os/exec"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
)

// enforcer keeps the node's nftables equal to the NetworkPolicies, which the bridge of the pods does not know.
type enforcer struct {
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	dns        *corev1.Pod
	applied    string
}

func netpolCommand() *cobra.Command {
	var dns string
	c := &cobra.Command{Use: "netpol", Short: "enforce NetworkPolicies by nftables", Args: cobra.NoArgs}
	c.Flags().StringVar(&dns, "dns", "", "address of the cluster's DNS server, which has no pod; policies see it as kube-system's pod k8s-app=kube-dns")
	connected := connect(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := connected()
		if err != nil {
			return err
		}
		factory := informers.NewSharedInformerFactory(api, 0)
		core, networking := factory.Core().V1(), factory.Networking().V1()
		e := enforcer{pods: core.Pods().Lister(), namespaces: core.Namespaces().Lister(), policies: networking.NetworkPolicies().Lister()}
		e.dns = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Labels: map[string]string{"k8s-app": "kube-dns"}}, Status: corev1.PodStatus{PodIP: dns}}
		watched := []cache.SharedIndexInformer{core.Pods().Informer(), core.Namespaces().Informer(), networking.NetworkPolicies().Informer()}
		return follow(c.Context(), factory, watched, e.pass)
	}
	return c
}

// pass replaces all rules in one transaction, if they changed.
func (e *enforcer) pass(ctx context.Context) error {
	pods, _ := e.pods.List(labels.Everything()) // from memory: cannot fail
	namespaces, _ := e.namespaces.List(labels.Everything())
	policies, _ := e.policies.List(labels.Everything())
	cluster := newNetwork(pods, namespaces, e.dns)
	for _, policy := range policies {
		if err := cluster.add(policy); err != nil {
			return fmt.Errorf("policy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
	}
	rules := cluster.ruleset()
	if rules == e.applied {
		return nil
	}
	nft := exec.CommandContext(ctx, "nft", "-f", "-")
	nft.Stdin = bytes.NewBufferString(rules)
	if output, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s\n%s", err, output, rules)
	}
	e.applied = rules
	log.Printf("rules of %d policies applied", len(policies))
	return nil
}
