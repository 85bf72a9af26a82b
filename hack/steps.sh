# shellcheck shell=bash
# Steps with their times, and a line every ten seconds while one works. Sourced by what shows its progress.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
logs=$(mktemp -d)
later=()
mkdir "$logs/working"

heart() { # as long as this script lives: what works, and the last that it said
	local file from what log last line never
	set +e # whatever it meets, it goes on
	exec {never}<> <(:) # nothing ever comes of it: a pause that ends at once with its shell
	while read -rt 10 -u "$never" || kill -0 $$ 2>/dev/null; do
		line=''
		for file in "$logs"/working/*; do
			{ read -r from && read -r log && read -r what; } <"$file" || continue
			last=$(tail -c 400 "$log" | tr '\r\t' '\n ' | grep -v '^ *$' | tail -n 1 | sed 's/^ *//')
			line+="${line:+; }$what, $(seconds "$from") s${last:+: ${last:0:60}}"
		done 2>/dev/null
		[ -z "$line" ] || say "... $line"
	done
}
heart &
heart=$!
finish() { # for the trap at the end of the script
	kill $heart 2>/dev/null || true
	rm -rf "$logs"
}

working() { # WHAT LOG CMD...: runs it, and it is heard of
	local code=0 file
	file=$(mktemp -p "$logs/working")
	printf '%s\n' "${EPOCHREALTIME/./}" "$2" "$1" >"$file"
	"${@:3}" || code=$?
	rm -f "$file"
	return $code
}
logged() { # WHAT LOG CMD...: if CMD fails, the end of what it said
	working "$@" >"$2" 2>&1 </dev/null && return
	printf '%s\n' "--- $1 failed; the last lines of what it said:" "$(tail -n 60 "$2")" >&2
	# Of many tests, the one that failed may stand far above.
	grep -E -A 6 '^test .* FAILED|panicked at' "$2" | cut -c1-400 | head -n 60 >&2
	printf -- '--- by: %s\n' "${*:3}" >&2
	return 1
}
step() { # WHAT CMD...: says how long CMD took
	local from=${EPOCHREALTIME/./} log
	log=$(mktemp -p "$logs")
	logged "$1" "$log" "${@:2}" || return 1
	say "$1 ($(seconds "$from") s)"
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
