# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# containerd, runc and the CNI plug-ins: Debian's newest packages, unpacked into the cache and not installed.

SUITE=sid PACKAGES=(containerd runc containernetworking-plugins libc6 libseccomp2)
NODE_PROGRAMS=$CACHE/node-$(sha256sum "$here/real/debian.sh" | cut -c1-16)

unpack_debian() {
	"$here/../tools/apt" patchelf=patchelf nft=nftables ip=iproute2 modprobe=kmod sysctl=procps || die 'the node needs these packages'
	cached "$NODE_PROGRAMS" 'containerd, runc and CNI plug-ins from Debian' '10 seconds' fetch_packages
}

fetch_packages() ( # FOLDER
	mirror=${DEBIAN_MIRROR:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -oE 'https?://[^ ]+/debian/?' | head -n 1 || true)}
	[ -n "$mirror" ] || die 'apt names no Debian mirror; name one by DEBIAN_MIRROR=URL'
	work=$1/apt root=$1/apt/root
	mkdir -p "$work"/{lists/partial,archives/partial,root} "$1"/{cni,lib}
	# the suite is always the newest, whatever date a mirror's copy of it bears
	echo "deb [check-valid-until=no] $mirror $SUITE main" >"$work/sources.list"
	options=(-q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$work/lists"
		-o "Dir::Cache=$work" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
	cd "$work" || exit
	{ apt-get "${options[@]}" update && apt-get "${options[@]}" download "${PACKAGES[@]}"; } >apt.log 2>&1 ||
		die "cannot fetch ${PACKAGES[*]} of $SUITE from $mirror: $(tail -n 3 apt.log)"
	for package in *.deb; do dpkg-deb -x "$package" "$root"; done
	cp "$root"/usr/bin/{containerd,containerd-shim-runc-v2,ctr} "$root/usr/sbin/runc" "$1"
	cp "$root"/usr/lib/cni/* "$1/cni"
	# runc asks for a newer C library than this system may have, so it gets one beside it
	cp "$root"/usr/lib/*/{ld-linux-*.so.*,libc.so.6,libseccomp.so.2} "$1/lib"
	loader=("$1"/lib/ld-linux-*)
	patchelf --set-interpreter "$NODE_PROGRAMS/lib/$(basename "${loader[0]}")" --set-rpath "$NODE_PROGRAMS/lib" "$1/runc"
	rm -rf "$work"
)
