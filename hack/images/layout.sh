# The OCI layout folder that the test cluster's registry serves: sourced by ./build, which sets $layout.
# Its index.json is also the record of what is built: each entry carries the hash of what its image was made of.

ref=org.opencontainers.image.ref.name
content=dev.microapp.content

# layout_has HASH NAME...: whether all these names are there, made of this content.
layout_has() {
	[ -e "$layout/index.json" ] && jq --exit-status --arg ref $ref --arg content $content --arg hash "$1" \
		'$ARGS.positional - [.manifests[].annotations | select(.[$content] == $hash) | .[$ref]] == []' \
		"$layout/index.json" --args "${@:2}" >/dev/null
}

# layout_add ONE HASH NAME...: moves the image of the layout ONE here, under these names. Blobs come before the index
# and the index by a rename, so a reader, and whoever comes after an interruption, sees the old or the new state.
layout_add() {
	local one=$1 index=$layout/index.json
	mkdir -p "$layout/blobs/sha256"
	cp "$one/oci-layout" "$layout/"
	[ -e "$index" ] || echo '{"schemaVersion": 2, "manifests": []}' >"$index"
	mv "$one"/blobs/sha256/* "$layout/blobs/sha256/"
	jq --arg ref $ref --arg content $content --arg hash "$2" --slurpfile one "$one/index.json" '
		$ARGS.positional as $names
		| .manifests |= map(select(.annotations[$ref] | IN($names[]) | not))
		| .manifests += [$names[] as $name | $one[0].manifests[0] | .annotations = {($ref): $name, ($content): $hash}]' \
		"$index" --args "${@:3}" >"$index.new"
	mv "$index.new" "$index"
	layout_sweep
}

# layout_sweep: removes the blobs that no image has any more.
layout_sweep() {
	local blobs=$layout/blobs/sha256 manifests digest
	manifests=$(jq -r '.manifests[].digest | sub("sha256:"; "")' "$layout/index.json")
	for digest in $manifests; do
		jq -r '.config.digest, .layers[].digest | sub("sha256:"; "")' "$blobs/$digest"
	done | cat - <(echo "$manifests") | sort -u | comm -13 - <(ls "$blobs") | (cd "$blobs" && xargs -r rm --)
}
