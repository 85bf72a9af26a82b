# shellcheck shell=bash disable=SC2034 # sourced by demo.sh, which uses the variables
# A real control plane whose pods are only simulated. The operator is a process of this machine, with the rights of its own account.

DIR=${DEMO_DIR:-${TMPDIR:-/tmp}/microapp-demo-$(id -u)}
KUBECTL=(hack/cluster/cluster kubectl --dir "$DIR")

prepare() {
	say 'simulated: nodes, pods, and the proofs of logins. Real: API server, controllers, operator, and every object'
	beside 'programs of the cluster' hack/cluster/cluster build --simulated
	beside 'operator compiled' make -s operator
	together
	step 'cluster up' start
	KUBECONFIG_FILE=$(cat "$STATE/kubeconfig")
}
start() { hack/cluster/cluster up --simulated --dir "$DIR" >"$STATE/kubeconfig"; }

run_operator() { # what carries CLUSTER_DIR ends with the cluster
	kube -n microapp-system scale deployment/microapp --replicas=0
	local own=$DIR/operator.kubeconfig token
	token=$(kube -n microapp-system create token microapp --duration=24h)
	(umask 077 && cp "$(cat "$STATE/kubeconfig")" "$own")
	kube --kubeconfig "$own" config set-credentials operator --token="$token"
	kube --kubeconfig "$own" config set-context --current --user=operator
	CLUSTER_DIR=$DIR KUBECONFIG=$own setsid "$BINARY" operator --health-address 127.0.0.1:0 --metrics-address 127.0.0.1:0 </dev/null >>"$DIR/log/operator.log" 2>&1 &
	CLUSTER_DIR=$DIR setsid bash hack/demo/played-provisioner.sh "$DIR" "$NAMESPACE" shop </dev/null >>"$DIR/log/provisioner.log" 2>&1 &
}
show() {
	printf '\n'
	say 'simulated: nothing answers at the address below'
}
remove() { hack/cluster/cluster down --simulated --dir "$DIR"; }
