#!/bin/bash
# tuf-js.sh: a TUF client that is not ours reads the repository over HTTP, through updates.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

client=$tmp/client
mkdir "$client"
cp "$top"/tests/integration/tuf-js/{package.json,package-lock.json,.npmrc,check.mjs} "$client"
if ! (cd "$client" && npm ci --silent --no-progress --ignore-scripts) >"$tmp/npm.out" 2>&1; then
	sed 's/^/#   /' "$tmp/npm.out"
	skip 'tuf-js: npm cannot get it'
	exit 77
fi

conf=$tmp/authority/preload25.conf
repo=$tmp/authority/repository
at() { # at TIME COMMAND...
	local t=$1
	shift
	PRELOAD25_NOW=$t "$@"
}
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
before=$(date -u -d '-1 hour' +%Y-%m-%dT%H:%M:%SZ)

check 'init' at "$before" preload25 init "$tmp/authority"
serve() { # serve DIRECTORY NAME: leaves its address in $url
	httpd --with-parent --root "$1" --port-file "$tmp/$2.port" --log "$tmp/$2.log" &
	await exists "$tmp/$2.port" || { not_ok 'httpd starts'; finish; }
	url=http://127.0.0.1:$(cat "$tmp/$2.port")
}
serve "$repo" small
read_with() { # read_with METADATA-DIR TARGET
	no_proxy=127.0.0.1 node "$client/check.mjs" "$url" "$1" "$repo/metadata/1.root.json" "$2" \
		"$repo/targets/$2"
}

for round in 1 2 3; do
	check "build $round" at "$before" preload25 --config "$conf" build
	check "publish $round" at "$before" preload25 --config "$conf" publish
	names=(list.json list.json.zst policy.json list.schema.json list.json.minisig minisign.pub)
	[ "$round" -eq 1 ] || names+=("delta/$((round - 1))-$round.json.zst")
	for name in "${names[@]}"; do
		check "tuf-js updates to list $round and reads $name" read_with "$tmp/old" "$name"
	done
	check "tuf-js starts with list $round" read_with "$tmp/new-$round" list.json
done
check 'renew' at "$now" preload25 --config "$conf" publish
check 'tuf-js takes the new timestamp' read_with "$tmp/old" list.json

# A list with many entries and aliases.
if [ -x "$B/bench/bench_list" ]; then
	check 'a repository with 20,000 entries' "$B/bench/bench_list" 20000 "$tmp/large"
	small=$repo small_url=$url
	repo=$tmp/large/repository
	serve "$repo" large
	check 'tuf-js reads its list' read_with "$tmp/large-client" list.json
	repo=$small url=$small_url
else
	skip 'tuf-js reads a large list: bench_list is not built'
fi

# The check can fail: a list with one byte changed, and one that was rolled back.
cp -r "$repo" "$tmp/good"
hashed=$(basename "$(find "$repo/targets" -name '*.list.json' -size -100k | head -n 1)")
for f in "$repo"/targets/*.list.json; do
	printf X | dd of="$f" bs=1 seek=15 conv=notrunc status=none
done
fails() { ! "$@"; }
check "tuf-js refuses an altered list (${hashed:0:8})" fails read_with "$tmp/newer" list.json
rm -rf "$repo/targets"
cp -r "$tmp/good/targets" "$repo/targets"
check 'tuf-js takes it when it is mended' read_with "$tmp/old" list.json
git -C "$repo" show HEAD~1:metadata/timestamp.json >"$repo/metadata/timestamp.json"
check 'tuf-js refuses an older timestamp' fails read_with "$tmp/old" list.json
finish
