# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# Builds the programs into the cache, sourced by cluster. A folder of the cache is named by what makes it, filled
# under another name and renamed: what is there is whole.

CACHE=${MICROAPP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/microapp}
PROGRAMS=$CACHE/kube-$(cat "$here"/go.mod "$here"/go.sum "$here"/*.go "$here/build.sh" | sha256sum | cut -c1-16)

cached() { # FOLDER WHAT HOW_LONG FUNCTION: lets FUNCTION fill the folder unless it is there; one at a time
	if [ -d "$1" ]; then return; fi
	mkdir -p "$CACHE"
	exec 9>"$CACHE/lock"
	flock 9
	if [ ! -d "$1" ]; then
		say "making $2: $3; kept in $1"
		rm -rf "$1.part"
		mkdir "$1.part"
		"$4" "$1.part"
		mv "$1.part" "$1"
		say "made $2"
	fi
	exec 9>&-
}

build_programs() { cached "$PROGRAMS" "the Kubernetes programs" "4 minutes on 2 cores while Go's cache is empty" compile; }

compile() { # FOLDER: without inlining and debug data, for a quarter less time
	command -v go >/dev/null || die "Go 1.26 or newer is needed to build the cluster's programs: https://go.dev/doc/install"
	local version package=k8s.io/component-base/version
	version=$(cd "$here" && go list -m -f '{{.Version}}' k8s.io/kubernetes) || die "Go could not read $here/go.mod (above); it needs Go 1.26 or newer and a module proxy: see go version, go env GOPROXY"
	local minor=${version#v1.}
	(cd "$here" && CGO_ENABLED=0 go build -o "$1/kube" -gcflags='all=-l -dwarf=false' \
		-ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean" .) >&2
}
