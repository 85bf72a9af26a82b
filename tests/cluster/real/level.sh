# shellcheck shell=bash disable=SC2034,SC2154,SC1091 # variables are shared with the script that sources this
# The real level: one node with a kubelet, containerd and all that belongs to it. The node is a set of namespaces
# (network, processes, mounts) held by one init process: when that ends, however it ends, every process, mount,
# link and rule of the cluster is gone. A pair of links joins it to this machine; nothing is routed beyond it.

PARTS=(etcd registry containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy netpol dns volumes)
NODE=node-1 ADDRESS=172.30.0.1 HOST_ADDRESS=172.30.0.254 HOST_LINK=microapp0 DNS_ADDRESS=10.96.0.10 REGISTRY=127.0.0.1:5000
API_PORT=6443 ETCD_PORT=2379 ETCD_PEER_PORT=2380 CONTROLLERS_PORT=10257 SCHEDULER_PORT=10259
[ "$UID" = 0 ] || die 'a real cluster needs root; an ordinary user may have one with --simulated'
. "$here/real/debian.sh"
. "$here/real/config.sh"

level_load() {
	local pki=$DIR/pki
	CONTROLLERS_FLAGS=()
	API_FLAGS=(--admission-control-config-file="$here/real/admission.yaml" --kubelet-certificate-authority="$pki/ca.crt"
		--kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" --kubelet-client-key="$pki/apiserver-kubelet-client.key"
		--kubelet-preferred-address-types=InternalIP)
}

level_command_of() { # PART: sets cmd
	local kube=$PROGRAMS/kube admin=$DIR/pki/admin.kubeconfig
	case $1 in
	registry) cmd=("$kube" registry --layout="$(<"$DIR/images")" --listen="$REGISTRY") ;;
	containerd) cmd=("$NODE_PROGRAMS/containerd" --config "$DIR/conf/containerd.toml") ;;
	kubelet) cmd=("$kube" kubelet --config="$DIR/conf/kubelet.yaml" --kubeconfig="$DIR/pki/kubelet.kubeconfig" --root-dir="$DIR/kubelet"
		--hostname-override="$NODE" --node-ip="$ADDRESS") ;;
	kube-proxy) cmd=("$kube" kube-proxy --config="$DIR/conf/kube-proxy.yaml") ;;
	netpol) cmd=("$kube" netpol --kubeconfig="$admin" --dns="$ADDRESS") ;;
	dns) cmd=("$kube" dns --kubeconfig="$admin" --listen="$ADDRESS:53") ;;
	volumes) cmd=("$kube" volumes --kubeconfig="$admin" --folder="$DIR/volumes") ;;
	*) die "no part '$1'; there are: ${PARTS[*]}" ;;
	esac
}

level_build() { unpack_debian; }

level_up() {
	echo "${images:-$CACHE/images/layout}" >"$DIR/images"
	node
	"$PROGRAMS/kube" pki --dir "$DIR/pki" --server "https://$ADDRESS:$API_PORT" --node "$NODE" --address "127.0.0.1,$ADDRESS,10.96.0.1"
	configure
	start etcd
	start registry
	start containerd
	start kube-apiserver
	await 90 kube-apiserver api_ready
	for part in kube-controller-manager kube-scheduler kubelet kube-proxy netpol dns volumes; do start "$part"; done
	kube_ctl apply --server-side -f "$here/storage.yaml" -f "$here/real/dns.yaml" >/dev/null
	await 60 kubelet kube_ctl wait --for=condition=Ready "node/$NODE" --timeout=1s
	await 60 kube-controller-manager kube_ctl get serviceaccount default
	check_parts
}

spawn() { # PART CMD...
	local node
	node=$(pid_of node)
	PATH=$NODE_PROGRAMS:$PATH CLUSTER_DIR=$DIR setsid nsenter -t "$node" -n -p -m -- "${@:2}" &
	child_of $! >"$DIR/run/$1.pid" || true # none: it has ended already, which await reports
}
child_of() { # PID: its only child, which nsenter and unshare are about to make
	local child=''
	while [ -z "$child" ]; do
		child=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || return
	done
	echo "${child% }"
}
in_network() { nsenter -t "$(pid_of node)" -n -- "$@"; }
linked() { ip link show "$HOST_LINK" >/dev/null 2>&1; }

node() {
	if alive node; then
		if [ -e "$DIR/run/joined" ]; then return; fi
		kill -KILL "$(pid_of node)" # half made
	fi
	case $DIR in /run/* | /var/lib/* | /var/log/*) die "the node has a $DIR of its own: name another folder by --dir" ;; esac
	if ip -4 route show root "$ADDRESS/24" | grep -qv "dev $HOST_LINK"; then
		die "the addresses $ADDRESS/24 are in use on this machine: $(ip -4 route show root "$ADDRESS/24")"
	fi
	for _ in {1..50}; do # that of a killed node goes a moment after it
		linked || break
		sleep 0.1
	done
	if linked; then die "another real cluster runs here: end it by '$0 down', with --dir if it was given one"; fi
	modprobe -q br_netfilter 2>/dev/null || true # built in, or not to be had
	rm -f "$DIR"/run/{mounted,joined}
	CLUSTER_DIR=$DIR setsid unshare --net --pid --mount --fork --kill-child --mount-proc bash "$here/real/init" "$DIR/run/mounted" </dev/null >>"$DIR/log/node.log" 2>&1 &
	child_of $! >"$DIR/run/node.pid" || die "the node's namespaces cannot be made: $(cat "$DIR/log/node.log")"
	local pid
	pid=$(pid_of node)
	until [ -e "$DIR/run/mounted" ]; do
		alive node || die "the node's mounts cannot be made: $(cat "$DIR/log/node.log")"
		sleep 0.02
	done
	join_networks "$pid"
	say 'node made'
}

join_networks() { # PID: the node's with this machine's
	ip link add "$HOST_LINK" type veth peer name node0 netns "$1"
	ip addr add "$HOST_ADDRESS/24" dev "$HOST_LINK"
	ip link set "$HOST_LINK" up
	in_network ip link set lo up
	in_network ip addr add "$ADDRESS/24" dev node0
	in_network ip link set node0 up
	in_network ip route add "$SERVICE_CIDR" dev node0 # looked up before kube-proxy's rules send the packet elsewhere
	in_network ip route add unreachable default
	in_network sysctl -qw net.ipv4.ip_forward=1
	in_network sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null ||
		say 'this kernel has no br_netfilter: NetworkPolicy is not enforced between pods'
	# pods answer this machine and do not ask it: its answers would follow its own default route to the outside
	in_network nft -f - <<-'RULES'
		table ip microapp-node {
			chain forward {
				type filter hook forward priority 0
				iifname "pods0" oifname "node0" ct state new reject
			}
		}
	RULES
	touch "$DIR/run/joined"
}

level_down() { # the namespaces go when their last process has ended, soon after its kill
	for _ in {1..50}; do
		find /sys/fs/cgroup -depth -type d \( -path '*/kubepods*' -o -path '*/k8s.io*' \) -exec rmdir {} + 2>/dev/null
		linked || [ -n "$(find /sys/fs/cgroup -type d \( -name kubepods -o -name k8s.io \))" ] || return 0
		sleep 0.1
	done
	ip link delete "$HOST_LINK" 2>/dev/null || true
}
