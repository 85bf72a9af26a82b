#!/usr/bin/env bash
# Everything that this machine can run, cheapest first; ends at the first failure with the end of its log.
# A demo, or other clusters, may run beside: each cluster of the tests has a folder and addresses of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=../hack/steps.sh
. hack/steps.sh
trap finish EXIT
: >"$logs/left"

run() { # WHAT CMD...: and the closing lines of the runner
	local log from=${EPOCHREALTIME/./} what=$1
	log=$(mktemp -p "$logs")
	logged "$what" "$log" "${@:2}" || return 1
	say "$what ($(seconds "$from") s)"
	# Closing lines stand at the beginning of theirs, as tools that read them want it; below them what was measured.
	grep -E '^test result: .* [1-9][0-9]* passed|^[0-9]+ passed|^skipped|^SKIPPED|^ok  	' "$log" | tee -a "$logs/closing" || true
	grep -oE '(shop ready after|warned of|row written by|scaled to|service rolled|gateway rolled|pod killed:|broken login found|everything went|namespace gone|Secret rotated|nothing is left of the).*' "$log" | sed 's/^/             /' || true
	echo "$what" >>"$logs/ran"
}
leave() { # WHAT WHY: said at the end, too, so that nobody takes it for tested
	echo "left out: $1 ($2)" >>"$logs/left"
	say "left out: $1 ($2)"
}
has() { # WHAT CMD...: CMD sees to it that something is installed that WHAT needs; else WHAT is left out
	local log
	log=$(mktemp -p "$logs")
	# shellcheck disable=SC2094 # what was said last, for people who wait
	working "installing for: $1" "$log" "${@:2}" >"$log" 2>&1 </dev/null || { leave "$1" "$(tail -n 1 "$log")" && return 1; }
}

check_rust() { # what reconciles mostly waits, so it runs beside the rest, many at a time
	local file name others=() failed=0
	export MICROAPP_REQUIRE_CLUSTER=1 RUST_BACKTRACE=0
	for file in tests/*.rs tests/*/main.rs; do
		name=${file%/main.rs} name=$(basename "$name" .rs)
		[[ $name =~ ^(reconcile|fuzz|e2e)$ ]] || others+=(--test "$name")
	done
	cargo test --locked --test reconcile -- --test-threads=8 --include-ignored >"$logs/reconcile" 2>&1 &
	local reconcile=$!
	MICROAPP_FUZZ_SECONDS=60 cargo test --locked --test fuzz -- --nocapture >"$logs/fuzz" 2>&1 &
	local fuzz=$!
	cargo test --locked --no-fail-fast --lib --bins "${others[@]}" -- --include-ignored || failed=1
	wait $reconcile || failed=1
	wait $fuzz || failed=1
	cat "$logs/reconcile" "$logs/fuzz"
	return $failed
}
check_go() { # vet asks for facts of every package that Kubernetes is made of, which takes minutes: the cluster's own files are compiled and formatted
	local unformatted
	unformatted=$(gofmt -l hack/cluster samples/shop)
	[ -z "$unformatted" ] || die "not formatted: $unformatted"
	(cd samples/shop && go vet ./... && go test ./...)
}

check_clusters() { # waits for pods more than it computes, so it runs beside the Rust tests
	if $scans; then run 'scans of everything rendered' hack/scan || return 1; fi
	run 'simulated cluster' hack/cluster/smoke simulated || return 1
	$root || return 0
	run 'images' hack/images/smoke || return 1
	run 'real clusters, side by side' hack/cluster/smoke real
}

root=false scans=true
[ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ] || root=true
for tool in cargo go; do command -v $tool >/dev/null || die "$tool is needed; see README.md"; done

has 'lints of shell scripts' hack/tools/apt shellcheck=shellcheck || true
has 'the provisioner against a real PostgreSQL server' hack/tools/postgresql || true
has 'the provisioner against a real Redis server' hack/tools/redis || true
has 'scans of everything rendered' hack/tools/apt python3=python3 || scans=false
if $scans && ! python3 -c 'import ensurepip' 2>/dev/null; then has 'scans of everything rendered' hack/tools/apt pip-in-environments=python3-venv || scans=false; fi
$root || leave 'images and real pods' 'they need root on Linux'
if $root; then run 'curl' hack/tools/apt curl=curl; fi

run 'form and lints' make -s lint
run 'samples are valid' cargo run --locked --quiet -- check -f manifests/samples/shop.yaml -f manifests/samples/smallest.yaml
if $root; then run 'programs of the test cluster' hack/cluster/cluster build; else run 'programs of the test cluster' hack/cluster/cluster build --simulated; fi
run 'helm' hack/tools/build
run 'Envoy' hack/tools/envoy
run 'Rust tests compiled' cargo test --locked --no-run
check_clusters &
clusters=$!
run 'Rust: unit, golden, chart, and all that a real API server says' check_rust || failed=1
wait $clusters || failed=1
[ -z "${failed:-}" ]
run 'Go: the test cluster and the shop' check_go
# Alone, for it measures.
if $root; then run 'end to end on real pods' tests/e2e/run; fi

printf '\n'
cat "$logs/left"
passed=$(sed -nE 's/^(test result: ok\. )?([0-9]+) passed.*/\2/p' "$logs/closing" | paste -sd+)
# shellcheck disable=SC2154 # hack/lib.sh has set it
printf '%s runs with %s tests passed, %s left out, in %s s\n' "$(wc -l <"$logs/ran")" "$((passed))" "$(wc -l <"$logs/left")" "$(seconds "$begin")"
