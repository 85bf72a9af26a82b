# shellcheck shell=bash
# Steps with their times. Sourced by what shows its progress.

begin=${EPOCHREALTIME/./}
logs=$(mktemp -d)
later=()

seconds() { # FROM: since then, in seconds with a tenth
	local tenths=$(((${EPOCHREALTIME/./} - $1) / 100000))
	printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
say() { printf '%7s s  %s\n' "$(seconds "$begin")" "$1" >&2; }
die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

step() { # WHAT CMD...: says how long CMD took; if it fails, also what it said
	local what=$1 from=${EPOCHREALTIME/./} log
	log=$(mktemp -p "$logs")
	shift
	if "$@" >"$log" 2>&1 </dev/null; then
		say "$what ($(seconds "$from") s)"
	else
		printf '%s\n' "--- $what failed; the last lines of what it said:" >&2
		tail -n 40 "$log" >&2
		printf -- '--- by: %s\n' "$*" >&2
		return 1
	fi
}
beside() { # WHAT CMD...: a step beside the next ones
	step "$@" &
	later+=($!)
}
together() { # until every step that runs beside has ended
	local pid failed=0
	for pid in "${later[@]}"; do wait "$pid" || failed=1; done
	later=()
	return $failed
}
