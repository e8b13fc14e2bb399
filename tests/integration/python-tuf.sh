#!/bin/bash
# python-tuf.sh: the reference client reads the repository over HTTP, through updates.
#
# Its packages (tuf, securesystemslib, urllib3) are those of python3, or lie in the folder that
# TUF_PYTHONPATH names, or come by pip, or by the command in TUF_CONFORMANCE if it knows --fetch-deps.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

client=$top/tests/integration/python-tuf/check.py
# can_read: the client's modules are there. The Python of the system first: it has Debian's cryptography.
can_read() {
	for python in /usr/bin/python3 $(type -aP python3); do
		PYTHONPATH=$packages "$python" -c 'import cryptography, tuf, securesystemslib, urllib3' 2>>"$tmp/py.log" &&
			return 0
	done
	return 1
}
packages=${TUF_PYTHONPATH:-}
if ! can_read && timeout 120 python3 -m pip install -q --retries 0 --target "$tmp/python" 'tuf>=6' >>"$tmp/py.log" 2>&1; then
	packages=$tmp/python
fi
if ! can_read && [ -n "${TUF_CONFORMANCE:-}" ]; then
	packages=$($TUF_CONFORMANCE --fetch-deps 2>>"$tmp/py.log") || packages=
fi
if ! can_read; then
	tail -n 5 "$tmp/py.log" | sed 's/^/#   /'
	skip 'python-tuf: its packages cannot be had; TUF_PYTHONPATH may name a folder that has them'
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
httpd --with-parent --root "$repo" --port-file "$tmp/port" --log "$tmp/http.log" &
await exists "$tmp/port" || { not_ok 'httpd starts'; finish; }
url=http://127.0.0.1:$(cat "$tmp/port")
read_with() { # read_with METADATA-DIR TARGET
	no_proxy=127.0.0.1 PYTHONPATH=$packages PYTHONDONTWRITEBYTECODE=1 "$python" "$client" "$url" "$1" \
		"$repo/metadata/1.root.json" "$2" "$repo/targets/$2"
}

for round in 1 2 3; do
	check "build $round" at "$before" preload25 --config "$conf" build
	check "publish $round" at "$before" preload25 --config "$conf" publish
	for name in list.json list.json.zst policy.json list.schema.json; do
		check "python-tuf updates to list $round and reads $name" read_with "$tmp/old" "$name"
	done
	check "python-tuf starts with list $round" read_with "$tmp/new-$round" list.json
done
check 'renew' at "$now" preload25 --config "$conf" publish
check 'python-tuf takes the new timestamp' read_with "$tmp/old" list.json

# The check can fail: a list with one byte changed, and a timestamp that was rolled back.
cp -r "$repo" "$tmp/good"
for f in "$repo"/targets/*.list.json; do
	printf X | dd of="$f" bs=1 seek=15 conv=notrunc status=none
done
fails() { ! "$@"; }
check 'python-tuf refuses an altered list' fails read_with "$tmp/newer" list.json
rm -rf "$repo/targets"
cp -r "$tmp/good/targets" "$repo/targets"
check 'python-tuf takes it when it is mended' read_with "$tmp/old" list.json
git -C "$repo" show HEAD~1:metadata/timestamp.json >"$repo/metadata/timestamp.json"
check 'python-tuf refuses an older timestamp' fails read_with "$tmp/old" list.json
finish
