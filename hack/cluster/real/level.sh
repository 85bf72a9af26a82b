# shellcheck shell=bash disable=SC2034,SC2154,SC1091 # variables are shared with the script that sources this
# The real level: one node with a kubelet, containerd and all that belongs to it. The node is a set of namespaces
# (network, processes, mounts) held by one init process: when that ends, however it ends, every process, mount,
# link and rule of the cluster is gone. A pair of links joins it to this machine; nothing is routed beyond it.
# Several stand side by side: of what is outside the namespaces each has its own, by its number in $DIR/number.

PARTS=(etcd registry containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy netpol dns volumes)
NODE=node-1 DNS_ADDRESS=10.96.0.10 REGISTRY=127.0.0.1:5000
API_PORT=6443 ETCD_PORT=2379 ETCD_PEER_PORT=2380 CONTROLLERS_PORT=10257 SCHEDULER_PORT=10259
[ "$UID" = 0 ] || die 'a real cluster needs root; an ordinary user may have one with --simulated'
. "$here/real/debian.sh"
. "$here/real/config.sh"

numbered() { # NUMBER: what no two clusters of a machine may share
	ADDRESS=172.30.$1.1 HOST_ADDRESS=172.30.$1.254 HOST_LINK=microapp$1 CGROUP=microapp-$1
}

level_load() {
	local pki=$DIR/pki
	if [ -s "$DIR/number" ]; then numbered "$(<"$DIR/number")"; fi
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
	await 300 kube-apiserver api_ready
	for part in kube-controller-manager kube-scheduler kubelet kube-proxy netpol dns volumes; do start "$part"; done
	kube_ctl apply --server-side -f "$here/storage.yaml" >/dev/null
	sed "s/NODE_ADDRESS/$ADDRESS/" "$here/real/dns.yaml" | kube_ctl apply --server-side -f - >/dev/null
	await 300 kubelet kube_ctl wait --for=condition=Ready "node/$NODE" --timeout=1s
	await 300 kube-controller-manager kube_ctl get serviceaccount default
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
# Who made a link stands in its alias, so nobody takes another cluster's for its own.
linked() { [ "$(cat "/sys/class/net/$HOST_LINK/ifalias" 2>/dev/null)" = "$DIR" ]; }

unlink() { # it may go by itself meanwhile
	if linked; then ip link delete "$HOST_LINK" 2>/dev/null || ! linked; fi
}

node() {
	if alive node; then
		if [ -e "$DIR/run/joined" ]; then return; fi
		kill -KILL "$(pid_of node)" # half made
	fi
	case $DIR in /run/* | /var/lib/* | /var/log/*) die "the node has a $DIR of its own: name another folder by --dir" ;; esac
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

claim() { # PID: a number that is free here, and by it the link to that node; who comes second cannot make the link
	local number known='' numbers
	mapfile -t numbers < <(seq 0 99)
	if [ -s "$DIR/number" ]; then known=$(<"$DIR/number") numbers=("$known"); fi
	for _ in {1..100}; do
		for number in "${numbers[@]}"; do
			numbered "$number"
			unlink # of a killed node, whose namespaces may go late
			[ -z "$(ip -4 route show root "$ADDRESS/24")" ] || continue
			ip link add "$HOST_LINK" type veth peer name node0 netns "$1" 2>/dev/null || continue
			ip link set "$HOST_LINK" alias "$DIR"
			echo "$number" >"$DIR/number"
			return
		done
		sleep 0.1
	done
	[ -n "$known" ] || die 'the addresses 172.30.0.0 to 172.30.99.255 are all in use on this machine'
	die "the addresses $ADDRESS/24 of this cluster have been taken since it ended, by ${HOST_LINK} of $(cat "/sys/class/net/$HOST_LINK/ifalias" 2>/dev/null || echo no cluster); end that, or begin anew after: $0 down --dir $DIR"
}

join_networks() { # PID: the node's with this machine's
	claim "$1"
	make_cgroups
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

cgroups() { # those of this cluster; a kernel may have a tree for each controller
	find /sys/fs/cgroup -maxdepth 2 -type d -name "$CGROUP"
}
make_cgroups() { # the kubelet wants them to be there, with the controllers that it may use
	local tree controller # one tree, or one for each controller and no such files
	remove_cgroups
	for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
		if [ -L "$tree" ] || [ ! -e "$tree/cgroup.procs" ]; then continue; fi
		{ tr ' ' '\n' <"$tree/cgroup.controllers" | while read -r controller; do
			echo "+$controller" >"$tree/cgroup.subtree_control" || true
		done; } 2>/dev/null || true
		mkdir -p "$tree/$CGROUP"
	done
}
remove_cgroups() { # only what is empty can be removed
	cgroups | while read -r top; do find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}

level_down() { # the namespaces go when their last process has ended, soon or late; what bears a name goes now, the claim of the number last
	[ -s "$DIR/number" ] || return 0
	numbered "$(<"$DIR/number")"
	for _ in {1..600}; do
		if [ -e "/sys/class/net/$HOST_LINK" ] && ! linked; then return 0; fi # another cluster has the number now
		remove_cgroups
		[ -n "$(cgroups)" ] || break
		sleep 0.1
	done
	unlink
	[ -z "$(cgroups)" ] || die "control groups do not go: $(cgroups | xargs)"
}
