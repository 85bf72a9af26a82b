#!/usr/bin/env bash
# From nothing to an application that answers: builds everything, starts a cluster, installs the operator, runs manifests/samples/shop.yaml.
#   usage: demo.sh up | down      CLUSTER=real | simulated | kind | current chooses the cluster, DEMO_DIR=FOLDER where its data is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../steps.sh
. hack/steps.sh
trap finish EXIT

VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# shellcheck disable=SC2034 # used by the files that know a cluster
IMAGE=ghcr.io/microapp-dev/microapp:$VERSION
BINARY=target/static/microapp
NAMESPACE=shop
STATE=demo # what `down` needs to know; and the picture

choose() { # sets CLUSTER, and says why
	local why='as CLUSTER says'
	if [ -z "${CLUSTER:-}" ]; then
		if command -v kind >/dev/null && docker info >/dev/null 2>&1; then
			CLUSTER=kind why='kind and a running Docker are here'
		elif [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]; then
			CLUSTER=real why='root on Linux, and no kind with Docker: one real node in namespaces of its own'
		else
			CLUSTER=simulated why='neither root on Linux nor kind with Docker'
		fi
	fi
	[ -f "hack/demo/$CLUSTER.sh" ] || die "CLUSTER=$CLUSTER is none of: real, simulated, kind, current"
	say "cluster: $CLUSTER ($why)"
}

kube() { "${KUBECTL[@]}" "$@"; }
microapp() { KUBECONFIG=$KUBECONFIG_FILE "$BINARY" "$@"; }

install_operator() { # by server-side apply: the CRD is longer than the annotation that client-side apply would need
	kube apply --server-side --force-conflicts -f manifests/install.yaml && established && run_operator
}
established() { # of a definition that has no conditions yet kubectl says that it cannot be read
	for _ in {1..150}; do
		if kube wait --for=condition=Established crd/microserviceapps.microapp.dev --timeout=5s; then return; fi
		sleep 0.2
	done
	return 1
}
apply_shop() {
	kube create namespace $NAMESPACE --dry-run=client -o yaml | kube apply -f - &&
		kube label namespace $NAMESPACE --overwrite pod-security.kubernetes.io/enforce=restricted &&
		kube -n $NAMESPACE apply -f manifests/samples/shop.yaml
}

ask() { # through the gateway: an order is written, read from the database, and read from the cache
	local url=$1 answer id
	answer=$(curl -fsS --retry 5 --retry-connrefused --max-time 10 -H 'content-type: application/json' -d '{"item": "a book"}' "$url/api/orders")
	id=$(sed -nE 's/.*"id":([0-9]+).*/\1/p' <<<"$answer")
	ADDRESS=$url
	printf '\n  POST %s/api/orders\n    %s\n' "$url" "$answer"
	printf '  GET  %s/api/orders/%s\n' "$url" "$id"
	for _ in 1 2 3; do printf '    %s\n' "$(curl -fsS --max-time 10 "$url/api/orders/$id")"; done
	printf '\n'
}

up() {
	choose
	# shellcheck source=/dev/null
	. "hack/demo/$CLUSTER.sh"
	mkdir -p $STATE
	echo "$CLUSTER" >$STATE/cluster
	echo "${DEMO_DIR:-}" >$STATE/dir
	prepare
	step 'operator installed' install_operator
	step 'application applied' apply_shop
	working 'the application gets ready' /dev/null microapp wait shop -n $NAMESPACE --timeout=10m || die "the application did not get ready; see: $BINARY status shop -n $NAMESPACE (KUBECONFIG=$KUBECONFIG_FILE)"
	show
	microapp status shop -n $NAMESPACE
	microapp graph shop -n $NAMESPACE -o svg >$STATE/shop.svg
	printf '\n'
	say "${ADDRESS:+the shop answers at $ADDRESS; }its picture is $STATE/shop.svg; it all runs until: make demo-down"
}

down() {
	DEMO_DIR=${DEMO_DIR:-$(cat $STATE/dir 2>/dev/null || true)}
	[ -s $STATE/cluster ] || echo "${CLUSTER:-$([ "$(id -u)" = 0 ] && echo real || echo simulated)}" >"$logs/cluster"
	CLUSTER=$(cat $STATE/cluster 2>/dev/null || cat "$logs/cluster")
	# shellcheck source=/dev/null
	. "hack/demo/$CLUSTER.sh"
	remove
	rm -rf $STATE
	say "$CLUSTER: nothing is left"
}

case ${1:-} in
up | down) "$1" ;;
*) sed -n '2,3s/^# *//p' "$0" >&2; exit 2 ;;
esac
