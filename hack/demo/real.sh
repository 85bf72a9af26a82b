# shellcheck shell=bash disable=SC2034 # sourced by demo.sh, which uses the variables
# One real node, made by hack/cluster; images are built from packages.

DIR=${DEMO_DIR:-/var/tmp/microapp-cluster}
KUBECTL=(hack/cluster/cluster kubectl --dir "$DIR")

prepare() {
	beside 'programs of the cluster' hack/cluster/cluster build
	beside 'operator compiled' make -s operator
	beside 'images of the application' hack/images/build
	together
	step "image of the operator" hack/images/build --operator "$BINARY" "$IMAGE"
	step 'cluster up' start
	KUBECONFIG_FILE=$(cat "$STATE/kubeconfig")
}
start() { hack/cluster/cluster up --dir "$DIR" >"$STATE/kubeconfig"; }
run_operator() { kube -n microapp-system rollout status deployment/microapp --timeout=300s; }
show() {
	local port
	port=$(kube -n "$NAMESPACE" get service shop-gateway -o 'jsonpath={.spec.ports[0].nodePort}')
	ask "http://$(hack/cluster/cluster address --dir "$DIR"):$port"
}
remove() { hack/cluster/cluster down --dir "$DIR"; }
