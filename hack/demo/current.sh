# shellcheck shell=bash disable=SC2034 # sourced by demo.sh, which uses the variables
# The cluster that kubectl speaks to. It must be able to pull the images that manifests/install.yaml and the sample name.

KUBECTL=(kubectl)
KUBECONFIG_FILE=${KUBECONFIG:-$HOME/.kube/config}

prepare() {
	say "context: $(kubectl config current-context)"
	step 'operator compiled' make -s operator
}
run_operator() { kube -n microapp-system rollout status deployment/microapp --timeout=300s; }
# shellcheck source=forward.sh
. hack/demo/forward.sh
show() { ask_forwarded; }
remove() {
	kube delete namespace "$NAMESPACE" --ignore-not-found
	kube delete --ignore-not-found -f manifests/install.yaml
}
