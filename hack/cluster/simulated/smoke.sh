# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The simulated level's test, sourced by smoke.

waiting() { k get pod "$1" -o jsonpath='{.status.phase} {.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}'; }
ready() { k get pod "$1" -o jsonpath='{.status.phase} {.status.conditions[?(@.type=="Ready")].status}'; }
ready_after() { # POD: seconds between its creation and its being Ready
	local from to
	from=$(k get pod "$1" -o jsonpath='{.metadata.creationTimestamp}') to=$(k get pod "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].lastTransitionTime}')
	echo $(($(date -d "$to" +%s) - $(date -d "$from" +%s)))
}
inits() { k get pod -l app=web -o jsonpath='{range .items[*].status.initContainerStatuses[*]}{.name} {.ready} {.started} {.state.running.startedAt}{"\n"}{end}' | sed 's/ 20.*/ running/; s/ $//' | sort -u; }
grow() { k patch pvc data-db-0 -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' && same 2Gi k get pvc data-db-0 -o 'jsonpath={.status.capacity.storage}'; }
restart() { # PART
	"$here/cluster" stop "$1" --dir "$dir" && same "$1 down" status_of "$1" && "$here/cluster" start "$1" --dir "$dir" && same "$1 up" status_of "$1"
}
status_of() { "$here/cluster" status --dir "$dir" | grep "^$1 "; }
audited() { grep -q '"stage":"ResponseComplete".*"verb":"create".*"resource":"deployments"' "$dir/audit.log" && ! grep -qE '"stage":"(RequestReceived|ResponseStarted)"|"level":"Request' "$dir/audit.log"; }
explains() { grep 'scheduler.kubeconfig: no such file' <<<"$("$here/cluster" up --dir "$dir" 2>&1)"; }

check 'up, three nodes' "$here/cluster" up --simulated --dir "$dir" --nodes 3
check 'the one line that up prints is the kubeconfig' same "$dir/pki/admin.kubeconfig" "$here/cluster" up --simulated --dir "$dir"
check 'a second one beside it' "$here/cluster" up --simulated --dir "$work/two" --nodes 1
check 'has one node' same node/simulated-1 "$here/cluster" kubectl --dir "$work/two" get nodes -o name
check 'the first has three' same $'node/simulated-1\nnode/simulated-2\nnode/simulated-3' k get nodes -o name

check 'apply' k apply -f "$here/simulated/smoke.yaml"
check 'Deployment available' k wait --for=condition=Available deployment/web --timeout=120s
check 'its Service has both addresses' same 'true true' k get endpointslice -l kubernetes.io/service-name=web -o 'jsonpath={.items[*].endpoints[*].conditions.ready}'
check 'init container completed, sidecar runs' same $'once true false\nsidecar true true running' inits
check 'StatefulSet ready, in order, with its claims' k rollout status statefulset/db --timeout=120s
check 'claims bound' same 'Bound Bound' k get pvc -o 'jsonpath={.items[*].status.phase}'
check 'claim grows' grow
check 'Job complete' k wait --for=condition=Complete job/good --timeout=120s
check 'Job failed' k wait --for=condition=Failed job/bad --timeout=120s

check 'ready-after' k wait --for=condition=Ready pod/slow --timeout=120s
check 'is not earlier' test "$(ready_after slow)" -ge 3
check 'never-ready' same 'Running False' ready never-ready
check 'image' same 'Pending ImagePullBackOff: Back-off pulling image "web:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "web:1": failed to resolve reference "web:1": web:1: not found' waiting image
check 'crash' same "Running CrashLoopBackOff: back-off 40s restarting failed container=main pod=crash_default($(k get pod crash -o jsonpath='{.metadata.uid}'))" waiting crash
check 'missing-secret' same 'Pending CreateContainerConfigError: secret "web-key" not found' waiting secret
check 'annotation removed' k annotate pod never-ready crash image secret simulated.microapp.dev/{never-ready,crash,image,missing-secret}-
check 'all heal' k wait --for=condition=Ready pod/never-ready pod/crash pod/image pod/secret --timeout=120s
check 'annotation set on a pod that is Ready' k annotate pod slow simulated.microapp.dev/never-ready=true
check 'makes it not Ready' same 'Running False' ready slow

check 'deleted pods go at once' timeout 20 "$here/cluster" kubectl --dir "$dir" delete pod slow crash
check 'deleted claim takes its volume along' k delete statefulset/db pvc/data-db-0 pvc/data-db-1
check 'no volume left' same '' k get pv -o name
check 'token of a service account' k create token default
check 'restricted namespace' k create -f - <<<'{apiVersion: v1, kind: Namespace, metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}}'
check 'refuses a pod' refuses k run any --image=any -n strict
check 'audit log' audited
for part in kube-apiserver kube-controller-manager; do check "$part stopped and started" restart $part; done
check 'answers again' same ok k get --raw /readyz

"$here/cluster" stop kube-scheduler --dir "$dir"
mv "$dir/pki/scheduler.kubeconfig" "$work/aside"
check 'a part that cannot start' refuses "$here/cluster" up --dir "$dir"
check 'is told with its last words' explains
mv "$work/aside" "$dir/pki/scheduler.kubeconfig"
check 'and starts when mended' "$here/cluster" up --dir "$dir"

"$here/cluster" down --dir "$work/two"
check 'down' "$here/cluster" down --dir "$dir"
check 'down again' "$here/cluster" down --dir "$dir"
check 'nothing is left' same '' find "$work" -mindepth 1
