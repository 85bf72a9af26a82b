# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The simulated level: a real control plane on loopback and ports of its own; kwok plays the nodes and the pods.

PARTS=(etcd kube-apiserver kube-controller-manager kube-scheduler volumes kwok)
ADDRESS=127.0.0.1
API_FLAGS=(--endpoint-reconciler-type=none) # loopback may not be published as the endpoint of a Service
CONTROLLERS_FLAGS=(--node-monitor-grace-period=24h) # kwok sends no heartbeats: after 50 s every pod would lose its readiness

level_command_of() { # PART: sets cmd
	local admin=$DIR/pki/admin.kubeconfig
	case $1 in
	volumes) cmd=("$PROGRAMS/kube" volumes --kubeconfig="$admin") ;;
	kwok)
		cmd=("$PROGRAMS/kube" kwok --kubeconfig="$admin" --config="$here/simulated/stages.yaml"
			--manage-all-nodes=true --server-address="127.0.0.1:$KWOK_PORT" --cidr="$POD_CIDR" --node-ip=192.0.2.1) ;;
	*) die "no part '$1'; there are: ${PARTS[*]}" ;;
	esac
}

spawn() { # PART CMD...
	CLUSTER_DIR=$DIR setsid "${@:2}" &
	echo $! >"$DIR/run/$1.pid"
}

level_load() { # the ports that this cluster was given
	if [ -s "$DIR/ports" ]; then numbered "$(<"$DIR/ports")"; fi
}
numbered() { # NUMBER: below the range that the kernel gives to outgoing connections
	local first=$((20000 + 10 * $1))
	API_PORT=$first ETCD_PORT=$((first + 1)) ETCD_PEER_PORT=$((first + 2)) CONTROLLERS_PORT=$((first + 3)) SCHEDULER_PORT=$((first + 4)) KWOK_PORT=$((first + 5))
}
claim() { # a number that no other cluster has: all processes of a cluster inherit its lock, so it is free when the last has ended
	local number known=''
	if [ -s "$DIR/ports" ]; then
		[ -z "$(processes)" ] || return 0
		known=$(<"$DIR/ports")
	fi
	mkdir -p "$CACHE/ports"
	for _ in {1..200}; do
		number=${known:-$((RANDOM % 1000))}
		numbered "$number"
		exec 8>"$CACHE/ports/$number"
		if flock -n 8 && free; then
			echo "$number" >"$DIR/ports"
			return
		fi
		sleep 0.05
	done
	die "the ports from $API_PORT to $KWOK_PORT are taken${known:+ since this cluster ended; begin anew after: $0 down --simulated --dir $DIR}"
}
free() { # other programs know nothing of numbers
	local port
	for port in $API_PORT $ETCD_PORT $ETCD_PEER_PORT $CONTROLLERS_PORT $SCHEDULER_PORT $KWOK_PORT; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 1; fi
	done
}

level_build() { :; } # one Go program is all it needs

level_up() {
	claim
	"$PROGRAMS/kube" pki --dir "$DIR/pki" --server "https://127.0.0.1:$API_PORT" --address 127.0.0.1
	start etcd
	start kube-apiserver
	await 300 kube-apiserver api_ready
	start kube-controller-manager
	start kube-scheduler
	{ cat "$here/storage.yaml"; fake_nodes; } | kube_ctl apply --server-side -f - >/dev/null
	start volumes
	start kwok
	await 300 kwok kube_ctl wait --for=condition=Ready node --all --timeout=10s
	await 300 kube-controller-manager kube_ctl get serviceaccount default
	check_parts
}

fake_nodes() { # as kubelets would register them
	local i
	for ((i = 1; i <= nodes; i++)); do
		cat <<-YAML
			---
			apiVersion: v1
			kind: Node
			metadata:
			  name: simulated-$i
			  labels: { kubernetes.io/hostname: simulated-$i, kubernetes.io/os: linux, kubernetes.io/arch: amd64, topology.kubernetes.io/zone: zone-$((i % 3)) }
			  annotations: { kwok.x-k8s.io/node: fake }
		YAML
	done
}

level_down() { :; } # all of it was processes and files
