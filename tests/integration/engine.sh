#!/bin/bash
# The engine in the lab: a crawl with one worker and one with four come to the ground truth, with the
# same SMTP sessions, one for each host name and address, never more at once than per_address allows;
# then every domain in detail with four. The same script runs under ThreadSanitizer (B=build/tsan).
#
# SINNERS, SEED, CONCURRENCY and PATIENCE in the environment: so many misbehaving hosts more, another
# lab, how many domains are in flight, and all time limits so many times as long as the lab's
# (scripts/ground-truth does that again and again).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --sinners "${SINNERS:-0}" --seed "${SEED:-1}"

# A report of ThreadSanitizer ends a program with exit code 66. What is not compiled with it (OpenSSL,
# libunbound, libcurl) is locked by means it cannot see.
export TSAN_OPTIONS="suppressions=$top/tests/tsan.supp ${TSAN_OPTIONS:-}"
awk -v n="${PATIENCE:-1}" '/^(deadline|[a-z]+_timeout) = [0-9]+$/ { $3 *= n } 1' \
	"$LAB_DIR/preload25.conf" >"$tmp/patient" && mv "$tmp/patient" "$LAB_DIR/preload25.conf"
truth=$(truth_counts "$LAB_DIR/truth.jsonl")

# crawl_with WORKERS [CONCURRENCY [FILES]]: sets $counts; SMTP connections by host and address in
# $tmp/sessions.WORKERS. FILES: file descriptors, no more (hard limit).
crawl_with() {
	local auth=$tmp/auth$1

	if ! { authority_make "$auth" "$LAB_DIR" &&
		preload25 --config "$auth/preload25.conf" import "$LAB_DIR/domains.txt"; } >"$tmp/log" 2>&1; then
		not_ok "an authority for $1 workers" "$tmp/log"
		return
	fi
	lab stats --reset "$LAB_DIR" >/dev/null
	check "crawl --workers $1" limited_to "${3:-$(ulimit -Hn)}" preload25 --config "$auth/preload25.conf" \
		crawl --once --workers "$1" --concurrency "${2:-${CONCURRENCY:-50}}" --per-host 2
	counts=$(sed -n 's/.* s: \(.*\) could not be told.*/\1/p' "$tmp/check.out")
	lab stats "$LAB_DIR" >"$tmp/stats.$1"
	# Not those of the self-test: how often a vantage point doubts itself depends on the order of events.
	awk -F'\t' '$1 == "address" && $2 == "smtp" && $3 != "127.0.0.25" { print $3 "\t" $4 }' "$tmp/stats.$1" |
		sort >"$tmp/sessions.$1"
}
# limited_to FILES COMMAND...: hard limit as said, soft limit as most systems have it, or the hard one.
limited_to() { (ulimit -Sn 1024 && { ulimit -Hn "$1" 2>/dev/null || ulimit -n "$1"; } && shift && exec "$@"); }
for workers in 1 4; do
	crawl_with "$workers"
	printf 'want %s\ngot  %s\n' "$truth" "$counts" >"$tmp/seen"
	if [ "$counts" = "$truth" ]; then
		ok "$workers workers: as many fit, not fit and unknown as in the ground truth"
	else
		not_ok "$workers workers: as many fit, not fit and unknown as in the ground truth" "$tmp/seen"
	fi
	awk -F'\t' '$1 == "address" && $2 == "smtp" && $6 > 2' "$tmp/stats.$workers" >"$tmp/seen"
	if [ -s "$tmp/seen" ]; then
		not_ok "$workers workers: never more than two sessions at once with an address" "$tmp/seen"
	else
		ok "$workers workers: never more than two sessions at once with an address"
	fi
	# The counting sees connections: two at once there are somewhere.
	check "$workers workers: and two at once somewhere" awk -F'\t' \
		'$1 == "address" && $2 == "smtp" && $6 == 2 { n++ } END { exit n == 0 }' "$tmp/stats.$workers"
done
check 'a low soft limit on files is raised' test -z "$(grep 'concurrency lowered' "$tmp/check.out")"

crawl_with 2 5000 700
lowered=$(grep -c 'concurrency lowered from 5000 to [0-9]*: no more than 700 file descriptors$' "$tmp/check.out")
printf 'want %s\ngot  %s\n%s lines\n' "$truth" "$counts" "$lowered" >"$tmp/seen"
if [ "$counts" = "$truth" ] && [ "$lowered" = 1 ]; then
	ok 'few file descriptors: fewer domains at once, one line says so, the ground truth is met'
else
	not_ok 'few file descriptors: fewer domains at once, one line says so, the ground truth is met' "$tmp/seen"
fi

check 'there were SMTP sessions' test "$(wc -l <"$tmp/sessions.1")" -gt 300
check 'four workers make the same SMTP sessions as one' diff "$tmp/sessions.1" "$tmp/sessions.4"

sed -i "s/^concurrency = .*/workers = 4\nconcurrency = ${CONCURRENCY:-50}/" "$LAB_DIR/preload25.conf"
xargs preload25 --config "$LAB_DIR/preload25.conf" check --json <"$LAB_DIR/domains.txt" \
	>"$tmp/check.jsonl" 2>"$tmp/log"
rc=$?
truth_differs "$LAB_DIR/truth.jsonl" "$tmp/check.jsonl" >"$tmp/seen"
cat "$tmp/log" >>"$tmp/seen"
# xargs answers 123 for exit codes 1 to 125 of check: some domains are not fit. 66 is ThreadSanitizer's.
if [ "$rc" -eq 123 ] && [ ! -s "$tmp/seen" ]; then
	ok 'check --json with four workers: verdict, auth, mode and findings of all domains'
else
	echo "exit $rc" >>"$tmp/seen"
	not_ok 'check --json with four workers: verdict, auth, mode and findings of all domains' "$tmp/seen"
fi
check 'no sanitizer has a word about the servers' sh -c "! grep -E 'Sanitizer|runtime error' '$LAB_DIR/run/labd.log'"
expect 'a number of workers that is none' 2 '^preload25: --workers: "many" is not a number from 0 to 64$' \
	preload25 --config "$tmp/auth1/preload25.conf" crawl --once --workers many
finish
