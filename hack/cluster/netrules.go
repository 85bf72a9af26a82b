package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// network is the pods of the cluster and the nftables rules that its policies come to. For each selected pod there
// is a chain for what may come to it and one for what may leave it: a line for each thing allowed, then drop.
type network struct {
	pods       []*corev1.Pod // that have an address of their own
	peers      []*corev1.Pod // the same and the DNS server
	namespaces map[string]labels.Set
	chains     map[networkingv1.PolicyType]map[string][]string // direction, address of the pod: what is allowed
}

func newNetwork(pods []*corev1.Pod, namespaces []*corev1.Namespace, dns *corev1.Pod) *network {
	n := &network{namespaces: map[string]labels.Set{}, chains: map[networkingv1.PolicyType]map[string][]string{
		networkingv1.PolicyTypeIngress: {}, networkingv1.PolicyTypeEgress: {}}}
	for _, namespace := range namespaces {
		n.namespaces[namespace.Name] = namespace.Labels
	}
	for _, pod := range pods {
		if pod.Status.PodIP != "" && !pod.Spec.HostNetwork && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			n.pods = append(n.pods, pod)
		}
	}
	n.peers = append(slices.Clone(n.pods), dns)
	return n
}

// rule is what NetworkPolicyIngressRule and NetworkPolicyEgressRule have in common.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rulesOf(spec *networkingv1.NetworkPolicySpec, direction networkingv1.PolicyType) (rules []rule) {
	if direction == networkingv1.PolicyTypeIngress {
		for _, r := range spec.Ingress {
			rules = append(rules, rule{r.From, r.Ports})
		}
		return rules
	}
	for _, r := range spec.Egress {
		rules = append(rules, rule{r.To, r.Ports})
	}
	return rules
}

// add turns one policy into lines of the chains of the pods that it selects.
func (n *network) add(policy *networkingv1.NetworkPolicy) error {
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return err
	}
	for _, pod := range n.pods {
		if pod.Namespace != policy.Namespace || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		for _, direction := range policy.Spec.PolicyTypes {
			lines := n.chains[direction][pod.Status.PodIP] // a chain without lines drops all
			for _, r := range rulesOf(&policy.Spec, direction) {
				allowed, err := n.allowed(r, direction, pod)
				if err != nil {
					return err
				}
				lines = append(lines, allowed...)
			}
			n.chains[direction][pod.Status.PodIP] = lines
		}
	}
	return nil
}

// allowed is every peer of the rule with every port. A port's name is looked up in the pod that is connected to:
// the selected one for ingress, each peer for egress.
func (n *network) allowed(r rule, direction networkingv1.PolicyType, pod *corev1.Pod) (lines []string, err error) {
	field, target := "ip daddr", (*corev1.Pod)(nil)
	if direction == networkingv1.PolicyTypeIngress {
		field, target = "ip saddr", pod
	}
	blocks, pods := []string{""}, n.peers // without peers: anyone, and the pods since only they know the names of their ports
	if len(r.peers) > 0 {
		blocks, pods = nil, nil
	}
	for _, peer := range r.peers {
		if peer.IPBlock != nil {
			blocks = append(blocks, block(field, peer.IPBlock)...)
			continue
		}
		selected, err := n.selected(pod.Namespace, peer)
		if err != nil {
			return nil, err
		}
		pods = append(pods, selected...)
	}
	for _, match := range blocks {
		for _, port := range portMatches(r.ports, target) {
			lines = append(lines, match+port)
		}
	}
	for _, peer := range pods {
		for _, port := range portMatches(r.ports, cmp.Or(target, peer)) {
			lines = append(lines, fmt.Sprintf("%s %s %s", field, peer.Status.PodIP, port))
		}
	}
	return lines, nil
}

// selected are the pods that a peer's selectors mean.
func (n *network) selected(namespace string, peer networkingv1.NetworkPolicyPeer) (pods []*corev1.Pod, err error) {
	podSelector, namespaceSelector := labels.Everything(), labels.Selector(nil)
	if peer.PodSelector != nil {
		if podSelector, err = metav1.LabelSelectorAsSelector(peer.PodSelector); err != nil {
			return nil, err
		}
	}
	if peer.NamespaceSelector != nil {
		if namespaceSelector, err = metav1.LabelSelectorAsSelector(peer.NamespaceSelector); err != nil {
			return nil, err
		}
	}
	for _, pod := range n.peers {
		near := namespaceSelector == nil && pod.Namespace == namespace || namespaceSelector != nil && namespaceSelector.Matches(n.namespaces[pod.Namespace])
		if near && podSelector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// block is nothing for a block of IPv6 addresses, which no pod has.
func block(field string, b *networkingv1.IPBlock) []string {
	if prefix, err := netip.ParsePrefix(b.CIDR); err != nil || !prefix.Addr().Is4() {
		return nil
	}
	match := fmt.Sprintf("%s %s ", field, b.CIDR)
	for _, except := range b.Except {
		match += fmt.Sprintf("%s != %s ", field, except)
	}
	return []string{match}
}

// portMatches is one empty match for a rule without ports; a name that the pod does not have matches nothing.
func portMatches(ports []networkingv1.NetworkPolicyPort, pod *corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var matches []string
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		lower := strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			matches = append(matches, "meta l4proto "+lower+" ")
		case port.EndPort != nil:
			matches = append(matches, fmt.Sprintf("%s dport %d-%d ", lower, port.Port.IntVal, *port.EndPort))
		case port.Port.StrVal == "":
			matches = append(matches, fmt.Sprintf("%s dport %d ", lower, port.Port.IntVal))
		case pod != nil:
			for _, number := range containerPorts(pod, port.Port.StrVal, protocol) {
				matches = append(matches, fmt.Sprintf("%s dport %d ", lower, number))
			}
		}
	}
	return matches
}

func containerPorts(pod *corev1.Pod, name string, protocol corev1.Protocol) (numbers []int32) {
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) { // sidecars are among the latter
		for _, port := range container.Ports {
			if port.Name == name && port.Protocol == protocol {
				numbers = append(numbers, port.ContainerPort)
			}
		}
	}
	return numbers
}

// ruleset is the whole table. Input too: the API server and DNS are not pods but processes of the node, and a
// policy that forgets them must be noticed. What the node itself asks pods, as probes, is not looked at.
func (n *network) ruleset() string {
	var text strings.Builder
	text.WriteString("add table ip microapp-netpol\ndelete table ip microapp-netpol\ntable ip microapp-netpol {\n")
	egress := n.writeChains(&text, networkingv1.PolicyTypeEgress, "saddr")
	ingress := n.writeChains(&text, networkingv1.PolicyTypeIngress, "daddr")
	const known = "ct state established,related accept\n"
	text.WriteString("chain forward {\ntype filter hook forward priority -5;\n" + known + egress + ingress + "}\n")
	text.WriteString("chain input {\ntype filter hook input priority -5;\n" + known + egress + "}\n}\n")
	return text.String()
}

// writeChains returns the line that sends each selected pod's packets to its chain.
func (n *network) writeChains(text *strings.Builder, direction networkingv1.PolicyType, field string) string {
	var jumps []string
	for _, address := range slices.Sorted(maps.Keys(n.chains[direction])) {
		chain := strings.ToLower(string(direction)) + "-" + strings.ReplaceAll(address, ".", "-")
		lines := n.chains[direction][address]
		slices.Sort(lines) // stable, whatever order policies and pods were listed in
		fmt.Fprintf(text, "chain %s {\n", chain)
		for _, line := range slices.Compact(lines) {
			fmt.Fprintf(text, "%s return\n", line)
		}
		text.WriteString("drop\n}\n")
		jumps = append(jumps, address+" : jump "+chain)
	}
	if len(jumps) == 0 {
		return ""
	}
	return fmt.Sprintf("ip %s vmap { %s }\n", field, strings.Join(jumps, ", "))
}
