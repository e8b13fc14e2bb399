#!/bin/bash
# preload25 run: all of it on schedule, from a timestamp that is past half its life to the signal that
# ends it.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

in_a_lab "${1:-}" --domains 600

auth=$tmp/authority
conf=$auth/preload25.conf
repo=$auth/repository
p25() { preload25 --config "$conf" "$@"; }
ago() { PRELOAD25_NOW=$(date -u -d "-$1" +%Y-%m-%dT%H:%M:%SZ) preload25 --config "$conf" "${@:2}"; }
version() { jq .signed.version "$repo/metadata/timestamp.json"; }
# until_true NAME COMMAND...: within five minutes, which nothing depends on.
until_true() {
	local name=$1 end=$((SECONDS + 300))
	shift
	while [ $SECONDS -lt $end ]; do
		if "$@" >/dev/null 2>&1; then
			ok "$name"
			return
		fi
		read -r -t 0.1 <> <(:) || : # a pause without a process
	done
	not_ok "$name" "$tmp/run.log"
}

check 'init' preload25 init "$auth"
cat "$LAB_DIR/preload25.conf" - >>"$conf" <<END
[run]
metrics_file = $tmp/metrics.prom
END
head -n 10 "$LAB_DIR/domains.txt" >"$tmp/domains.txt"
check 'import' p25 import "$tmp/domains.txt"
check 'a list of yesterday' ago '30 hours' build
check 'published then' ago '30 hours' publish
before=$(version)
p25 status >"$tmp/out" 2>&1
check 'status: the timestamp is good for now' grep -q '^  timestamp version 1, good until .* UTC$' "$tmp/out"
PRELOAD25_NOW=$(date -u -d '+10 hours' +%Y-%m-%dT%H:%M:%SZ) preload25 --config "$conf" status >"$tmp/out" 2>&1
check 'status raises the alarm when it was not renewed' grep -q '^  timestamp .*RENEW IT' "$tmp/out"
PRELOAD25_NOW=$(date -u -d '+20 hours' +%Y-%m-%dT%H:%M:%SZ) preload25 --config "$conf" status >"$tmp/out" 2>&1
check 'and when it has expired' grep -q '^  timestamp .*EXPIRED' "$tmp/out"

preload25 --config "$conf" run >"$tmp/run.log" 2>&1 &
pid=$!
newer() { [ "$(version)" -gt "$before" ]; }
until_true 'run publishes' newer
listed() { [ "$(jq .version "$repo/targets/list.json")" -ge 2 ]; }
until_true 'a new list' listed
crawled() { [ "$(p25 status | sed -n 's/^vantage point local: \([0-9]*\) due now.*/\1/p')" = 0 ]; }
until_true 'run crawls what is due' crawled
good() { grep -qE '^preload25_act_success_timestamp_seconds\{act="publish"\} [1-9]' "$tmp/metrics.prom"; }
until_true 'the metrics say so' good
check 'and when each role expires' test "$(grep -c '^preload25_role_expires_timestamp_seconds{role=' "$tmp/metrics.prom")" = 4
kill -TERM "$pid"
wait "$pid"
check 'SIGTERM ends it with 0' test "$?" = 0
check 'the tree is as committed' test -z "$(git -C "$repo" status --porcelain)"
check 'and nothing runs any more' test -z "$(ps -o pid= --ppid "$pid")"

# --- no database: lists must wait, the timestamp must not ------------------------------------------
mv "$auth/preload25.db" "$tmp/away.db"
check 'an old timestamp' ago '30 hours' publish --timestamp
before=$(version)
preload25 --config "$conf" run >"$tmp/run.log" 2>&1 &
pid=$!
until_true 'run renews the timestamp at half its life by itself' newer
until_true 'the failure of build is in the log' grep -q 'run: build ended with status 2' "$tmp/run.log"
kill -TERM "$pid"
wait "$pid"
mv "$tmp/away.db" "$auth/preload25.db"

# --- the key of the timestamp cannot be read ------------------------------------------------------
chmod 644 "$auth/keys/timestamp.pem"
preload25 --config "$conf" run >"$tmp/run.log" 2>&1 &
pid=$!
alarm() { grep -q 'run: publish ended with status 4' "$tmp/run.log"; }
until_true 'what cannot be renewed is an error of the log' alarm
metric() { grep -q '^preload25_act_failed{act="publish"} 1' "$tmp/metrics.prom"; }
until_true 'and a metric' metric
kill -TERM "$pid"
wait "$pid"
expect 'and an exit code' 4 'mode 644' p25 publish --timestamp
finish
