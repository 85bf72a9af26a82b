# shellcheck shell=bash disable=SC2034 # sourced by demo.sh, which uses the variables
# A cluster of kind, with images built by Docker.

export KUBECONFIG=$PWD/$STATE/kubeconfig
KUBECTL=(kubectl)
KUBECONFIG_FILE=$KUBECONFIG
SHOP=ghcr.io/microapp-dev/shop

prepare() {
	beside 'kind cluster' create
	beside 'operator compiled' make -s operator
	beside 'images of the shop' build_shop
	together
	step 'image of the operator' docker build --quiet --tag "$IMAGE" .
	step 'images loaded' kind load docker-image --name microapp "$IMAGE" "$SHOP-web:1.0.0" "$SHOP-orders:1.0.0"
}
create() {
	if kind get clusters | grep -qx microapp; then
		kind export kubeconfig --name microapp --kubeconfig "$KUBECONFIG"
	else
		kind create cluster --config kind-config.yaml --kubeconfig "$KUBECONFIG" --wait 120s
	fi
}
build_shop() {
	local program
	for program in web orders; do
		docker build --quiet --file samples/shop/Containerfile --build-arg PROGRAM=$program --tag "$SHOP-$program:1.0.0" samples/shop
	done
}
run_operator() { kube -n microapp-system rollout status deployment/microapp --timeout=300s; }
# shellcheck source=forward.sh
. hack/demo/forward.sh
show() { ask_forwarded; }
remove() { kind delete cluster --name microapp; }
