#!/bin/bash
# refresh.sh [ENTRIES]: what an updater costs that is up to date, and one that is one list behind: requests,
# octets and processor time, at a server that counts.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

entries=${1:-100000}
rounds=20
dir=$tmp/bench
repo=$dir/repository
# Two lists; one entry in a hundred has another policy.
"$B/bench/bench_list" "$entries" "$dir" 1 >"$tmp/log" || { cat "$tmp/log"; exit 1; }
serve() { # serve COMMIT: what is served from here on
	mkdir -p "$tmp/www"
	rm -rf "$tmp/www/metadata" "$tmp/www/targets"
	git -C "$repo" archive "$1" metadata targets | tar -x -C "$tmp/www"
}
serve HEAD~1
httpd --with-parent --root "$tmp/www" --port-file "$tmp/port" --log "$tmp/served" &
await exists "$tmp/port" || { echo 'refresh.sh: httpd does not start' >&2; exit 1; }
cp "$repo/metadata/1.root.json" "$tmp/root.json"
cat >"$tmp/u.conf" <<-END
	[source]
	url = http://127.0.0.1:$(cat "$tmp/port")
	root = $tmp/root.json
	[state]
	dir = $tmp/state
	[install]
	mta = texthash
	path = $tmp/map
	reload = no
	[brake]
	new_percent = 100
END
# costs NAME TIMES: runs the updater and says what one run cost.
costs() {
	local times
	: >"$tmp/served"
	TIMEFORMAT='%U %S'
	times=$({ time for ((i = 0; i < $2; i++)); do
		preload25-update --config "$tmp/u.conf" >/dev/null 2>"$tmp/err" || { cat "$tmp/err" >&2; exit 1; }
	done; } 2>&1) || { echo "$times" >&2; exit 1; }
	awk -F'\t' -v name="$1" -v n="$2" -v times="$times" '
		{ octets += $5 }
		END { split(times, t, " ")
			printf "%-28s %5.1f requests %12.0f octets %8.3f s cpu\n", name, NR / n, octets / n, (t[1] + t[2]) / n }' \
		"$tmp/served"
}
printf '%s entries, %s octets of list.json.zst\n' "$entries" "$(stat -c %s "$repo/targets/list.json.zst")"
costs 'first visit' 1
costs 'without news' "$rounds"
serve HEAD
costs 'by delta' 1
finish
