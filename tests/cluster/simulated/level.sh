# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The simulated level: a real control plane on loopback and free ports; kwok plays the nodes and the pods.

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
	[ -s "$DIR/ports" ] || "$PROGRAMS/kube" ports 6 >"$DIR/ports"
	{ read -r API_PORT; read -r ETCD_PORT; read -r ETCD_PEER_PORT; read -r CONTROLLERS_PORT; read -r SCHEDULER_PORT; read -r KWOK_PORT; } <"$DIR/ports"
}

level_build() { :; } # one Go program is all it needs

level_up() {
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
