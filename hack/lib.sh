# shellcheck shell=bash
# What all scripts share: seconds since the start, a line of progress, an end with a reason. Sourced.

begin=${EPOCHREALTIME/./}

seconds() { # FROM: since then, in seconds with a tenth
	local tenths=$(((${EPOCHREALTIME/./} - $1) / 100000))
	printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
say() { # TEXT
	printf '%7s s  %s\n' "$(seconds "$begin")" "$1" >&2
}
die() { # TEXT
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}
