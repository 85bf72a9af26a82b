#!/usr/bin/env bash
# Everything that this machine can run, cheapest first; ends at the first failure with the end of its log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=demo/lib.sh
. tests/demo/lib.sh
trap 'rm -rf "$logs"' EXIT

run() { # WHAT CMD...: and the closing lines of the runner
	local log from=${EPOCHREALTIME/./} what=$1
	log=$(mktemp -p "$logs")
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		printf '%s\n' "--- $what failed; the last lines of what it said:" >&2
		tail -n 60 "$log" >&2
		printf -- '--- by: %s\n' "$*" >&2
		return 1
	fi
	say "$what ($(seconds "$from") s)"
	# Closing lines stand at the beginning of theirs, as tools that read them want it; below them what was measured.
	grep -E '^test result: .* [1-9][0-9]* passed|^[0-9]+ passed|^skipped|^SKIPPED|^ok  	' "$log" || true
	grep -oE '(shop ready after|warned of|row written by|scaled to|service rolled|gateway rolled|pod killed:|broken login found|everything went|namespace gone|Secret rotated|nothing is left).*' "$log" | sed 's/^/             /' || true
	echo "$what" >>"$logs/ran"
}
leave() { # WHAT WHY: said at the end, too, so that nobody takes it for tested
	echo "left out: $1 ($2)" >>"$logs/left"
	say "left out: $1 ($2)"
}

check_rust() { # what reconciles mostly waits, so it runs beside the rest, many at a time
	local file name others=() failed=0
	export MICROAPP_REQUIRE_CLUSTER=1 RUST_BACKTRACE=0
	for file in tests/*.rs tests/*/main.rs; do
		name=${file%/main.rs} name=$(basename "$name" .rs)
		[[ $name =~ ^(reconcile|fuzz)$ ]] || others+=(--test "$name")
	done
	cargo test --locked --test reconcile -- --test-threads=8 >"$logs/reconcile" 2>&1 &
	local reconcile=$!
	MICROAPP_FUZZ_SECONDS=60 cargo test --locked --test fuzz -- --nocapture >"$logs/fuzz" 2>&1 &
	local fuzz=$!
	cargo test --locked --no-fail-fast --lib --bins "${others[@]}" || failed=1
	wait $reconcile || failed=1
	wait $fuzz || failed=1
	cat "$logs/reconcile" "$logs/fuzz"
	return $failed
}
check_go() { # vet asks for facts of every package that Kubernetes is made of, which takes minutes: the cluster's own files are compiled and formatted
	local unformatted
	unformatted=$(gofmt -l tests/cluster samples/shop)
	[ -z "$unformatted" ] || die "not formatted: $unformatted"
	(cd samples/shop && go vet ./... && go test ./...)
}

check_clusters() { # waits for pods more than it computes, so it runs beside the Rust tests
	run 'scans of everything rendered' tests/scan
	run 'simulated cluster' tests/cluster/smoke simulated
	if ! $root; then leave 'real pods' 'they need root on Linux' && return; fi
	run 'images' tests/images/smoke
	if $taken; then leave 'real cluster' 'one is running, maybe that of the demo; end it by make demo-down' && return; fi
	run 'real cluster' tests/cluster/smoke real "$(tests/images/build)"
}

root=false taken=false
[ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ] || root=true
[ ! -e /sys/class/net/microapp0 ] || taken=true

run 'shell scripts parse' bash -n tests/test.sh tests/demo/*.sh tests/cluster/cluster tests/images/build
run 'form and lints' make -s lint
run 'samples are valid' cargo run --locked --quiet -- check -f manifests/samples/shop.yaml -f manifests/samples/smallest.yaml
run 'programs of the test cluster' tests/cluster/cluster build --simulated
run 'helm and kubeconform' tests/tools/build
run 'Rust tests compiled' cargo test --locked --no-run
check_clusters &
clusters=$!
run 'Rust: unit, golden, chart, and all that a real API server says' check_rust || failed=1
wait $clusters || failed=1
[ -z "${failed:-}" ]
run 'Go: the test cluster and the shop' check_go
# Alone, for it measures.
if $root && ! $taken; then run 'end to end on real pods' tests/e2e/run; fi

printf '\n%s runs passed in %s s\n' "$(wc -l <"$logs/ran")" "$(seconds "$begin")"
[ ! -e "$logs/left" ] || cat "$logs/left"
