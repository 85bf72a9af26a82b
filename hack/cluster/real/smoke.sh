# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The real level's test, sourced by smoke. A second cluster stands beside it: each has its own, whatever happens to the other.

images=${2:-${MICROAPP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/microapp}/images/layout}

in_pod() { k exec -n smoke "$1" -- "${@:2}"; }                                    # OWNER CMD...
resolves() { same "$2" in_pod deploy/friend sh -c "getent ahostsv4 $1 | awk 'NR == 1 {print \$1}'"; } # NAME ADDRESS
reaches() { in_pod "$1" timeout 5 bash -c "exec 3<>/dev/tcp/$2/$3"; }              # OWNER HOST PORT
allowed() { for _ in {1..60}; do reaches "$@" && return; sleep 0.2; done; return 1; }
denied() { for _ in {1..60}; do reaches "$@" || return 0; sleep 0.2; done; return 1; }
address() { "$here/cluster" address --dir "$dir"; }
from_here() { timeout 5 bash -c "exec 3<>/dev/tcp/$(address)/30080"; }
policy() { # NAME SPEC
	k apply -f - <<<"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: $1, namespace: smoke}, spec: $2}"
}
grows() { k patch pvc data -n smoke -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' && same 2Gi k get pvc data -n smoke -o 'jsonpath={.status.capacity.storage}'; }
unchanged() { "$here/leftovers" "$dir" "$work/before"; }
ours() { grep -lzxF "CLUSTER_DIR=$dir" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
kill_all() {
	# shellcheck disable=SC2046 # one word each
	kill -KILL $(ours) || return
	for _ in {1..100}; do
		[ -n "$(ours)" ] || return 0
		sleep 0.1
	done
	return 1
}
restarted() { "$here/cluster" stop "$1" --dir "$dir" && "$here/cluster" start "$1" --dir "$dir"; }

second() { dir=$work/two "$@"; } # CMD...: of the second cluster
apart() { [ "$(address)" != "$(second address)" ] || { echo "both at $(address)"; return 1; }; }
untouched() { same ok second k get --raw /readyz && { [ ! -e "$images/index.json" ] || same true0 second k get pod some -o 'jsonpath={.status.containerStatuses[0].ready}{.status.containerStatuses[0].restartCount}'; }; }

"$here/leftovers" "$dir" >"$work/before"
check 'up' "$here/cluster" up --dir "$dir" --images "$images"
check 'from the machine, by the printed kubeconfig' same ok k get --raw /readyz
check 'audit log' test -s "$dir/audit.log"
check 'a second beside it' "$here/cluster" up --dir "$work/two" --images "$images"
check 'has addresses of its own' apart
[ ! -e "$images/index.json" ] || check 'a pod of it' second k run some --image=postgres:18 --command -- sleep infinity

if [ -e "$images/index.json" ]; then
	check 'apply' k apply -f "$here/real/smoke.yaml"
	check 'a restricted server with a volume is Ready' k rollout status statefulset/server -n smoke --timeout=180s
	check 'pods that ask it' k wait --for=condition=Available deploy/friend deploy/stranger -n smoke --timeout=120s
	# The kubelet tries and backs off in turn.
	check 'an image that is not there' k wait pod/nowhere -n smoke --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=ImagePullBackOff --timeout=120s
	server=$(k get pod server-0 -n smoke -o jsonpath='{.status.podIP}') service=$(k get svc outside -n smoke -o jsonpath='{.spec.clusterIP}')
	check 'NodePort from the machine' from_here
	check 'name of a Service' resolves outside "$service"
	check 'with its namespace' resolves outside.smoke "$service"
	check 'in full' resolves outside.smoke.svc.cluster.local. "$service"
	check 'headless Service' resolves server "$server"
	check 'pod of it' resolves server-0.server "$server"
	check 'no such name' refuses in_pod deploy/friend getent hosts nothing
	check 'nothing outside' refuses reaches deploy/friend 1.1.1.1 53
	check 'claim grows' grows

	check 'all may ask' reaches deploy/stranger server 5432
	check 'policy: from friends, by the name of the port' policy server '{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}], ports: [{port: sql}]}]}'
	check 'stranger is refused' denied deploy/stranger server 5432
	check 'friend is not' allowed deploy/friend server 5432
	check 'through the Service too' allowed deploy/friend outside 80
	check 'probe still passes' same true k get pod server-0 -n smoke -o 'jsonpath={.status.containerStatuses[0].ready}'
	check 'policy: friends may ask for names only' policy friend '{podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]}'
	check 'friend is refused' denied deploy/friend "$server" 5432
	check 'names resolve' resolves server "$server"
	check 'the API server is refused' denied deploy/friend 10.96.0.1 443
	check 'policy: addresses but for one' policy friend "{podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [$(address)/32]}}]}]}"
	check 'friend asks again' allowed deploy/friend "$server" 5432
	check 'not the address left out' denied deploy/friend 10.96.0.1 443
	check 'policies deleted' k delete networkpolicy --all -n smoke
	check 'stranger asks again' allowed deploy/stranger server 5432
	check 'API server stopped and started' restarted kube-apiserver
	check 'answers' same ok k get --raw /readyz
	check 'namespace deleted' k delete namespace smoke --timeout=120s
	check 'its volume is gone' same '' find "$dir/volumes" -mindepth 1
fi
[ ! -e "$images/index.json" ] || check 'the pod of the second runs' second k wait --for=condition=Ready pod/some --timeout=120s
check 'down' "$here/cluster" down --dir "$dir"
check 'nothing is left' unchanged
check 'down again' "$here/cluster" down --dir "$dir"
check 'the second is untouched' untouched

check 'up again' "$here/cluster" up --dir "$dir" --images "$images"
[ ! -e "$images/index.json" ] || check 'with a pod' k run some --image=postgres:18 --command -- sleep infinity
[ ! -e "$images/index.json" ] || check 'that runs' k wait --for=condition=Ready pod/some --timeout=120s
check 'killed, all of it' kill_all
check 'the second is untouched' untouched
check 'up on its data' "$here/cluster" up --dir "$dir"
[ ! -e "$images/index.json" ] || check 'the pod runs again' same 1 k get pod some -o 'jsonpath={.status.containerStatuses[?(@.ready==true)].restartCount}'
check 'killed once more' kill_all
check 'down' "$here/cluster" down --dir "$dir"
check 'nothing is left' unchanged
check 'the second is untouched' untouched
check 'and goes' "$here/cluster" down --dir "$work/two"
dir=$work/two
check 'nothing is left of it' unchanged
