# shellcheck shell=bash
# Asks the gateway over a forwarded port, where its nodes cannot be reached from here. Sourced by the clusters that need it.

ask_forwarded() {
	local port=18080 pid
	kube -n "$NAMESPACE" port-forward service/shop-gateway $port:80 >/dev/null &
	pid=$!
	ask "http://127.0.0.1:$port" || { kill $pid; return 1; }
	kill $pid
	ADDRESS="$ADDRESS, while this runs: kubectl -n $NAMESPACE port-forward service/shop-gateway $port:80"
}
