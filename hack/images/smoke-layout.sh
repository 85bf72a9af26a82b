# The layout and what builds it: sourced by ./smoke.

intact() { (cd "$layout/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --check --quiet); }
manifests() { jq -r '.manifests | length' "$1/images/layout/index.json"; }

# config NAME FILTER: from the image's configuration.
config() {
	local blobs=$layout/blobs/sha256 digest
	digest=$(jq -r --arg name "$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $name)
		| .digest | sub("sha256:"; "")' "$layout/index.json")
	digest=$(jq -r '.config.digest | sub("sha256:"; "")' "$blobs/$digest")
	jq -c "[.config | $2]" "$blobs/$digest"
}

check "every blob is what its name says" intact
check "postgres starts, ends and keeps data as the official image" says \
	'["/var/lib/postgresql","docker-entrypoint.sh","postgres","SIGINT"]' \
	config docker.io/library/postgres:18 '(.Volumes | keys[]), .Entrypoint[], .Cmd[], .StopSignal'
check "pause is the user 65535" says '["65535:65535","/pause"]' config registry.k8s.io/pause:3.10.1 '.User, .Entrypoint[]'
check "the shop is the user 10001" says '["10001:10001","/shop-web"]' \
	config ghcr.io/microapp-dev/shop-web:1.0.0 '.User, .Entrypoint[]'

# In a cache of its own: what happens to a build.
export MICROAPP_CACHE=$work/cache
interrupted() {
	"$here/build" pause & local build=$!
	soon test -e "$(echo $work/cache/images/work.*)/context" && kill -KILL $build
	! wait $build
	"$here/build" pause
	[ "$(manifests $work/cache)" = 1 ] && ! ls -d $work/cache/images/work.*
}
replaced() { # a second program of the operator in place of the first: its blobs too
	local blobs
	cp "$1" $work/microapp && echo >>$work/microapp
	blobs=$(ls $work/cache/images/layout/blobs/sha256 | wc -l)
	says "microapp: built" "$here/build" --operator $work/microapp example.org/microapp:1 &&
		[ "$(ls $work/cache/images/layout/blobs/sha256 | wc -l)" = "$blobs" ] && [ "$(manifests $work/cache)" = 2 ]
}
unpack shop-web
program=$work/shop-web/shop-web
check "a build that was killed leaves nothing half" interrupted
check "what is there is kept" says "pause: cached" "$here/build" pause
check "an unknown name is refused" says "there is no image 'nothing'" "$here/build" nothing
check "a program that needs libraries is refused" says "needs libraries" "$here/build" --operator /bin/true example.org/microapp:1
check "the operator's image is built from its program" says "microapp: built" "$here/build" --operator $program example.org/microapp:1
check "and kept while the program is the same" says "microapp: cached" "$here/build" --operator $program example.org/microapp:1
check "and replaced when it is another" replaced $program
unset MICROAPP_CACHE
