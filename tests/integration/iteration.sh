#!/bin/bash
# Full iteration from the root, as on the internet: no forwarder. In a network namespace the lab's
# front is on port 53 of 127.0.0.1, with NSD behind it, and of the name servers that have a script;
# the usual name server's second address is lame, at its third one nobody listens. One domain of each kind must come to the ground truth.
# Needs root; skips where namespaces are refused.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

if [ "${1:-}" != --inside ]; then
	"$top/scripts/lab-packages" "$top/build/lab-root" nsd unbound >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; exit 1; }
	if ! lab make "$tmp/lab" >"$tmp/log" 2>&1; then
		not_ok 'a lab' "$tmp/log"
		finish
	fi
	LAB_BIN=$B/lab "$top/tests/lab/mail/ns" "$tmp" "$top/build/lab-root" "$0" --inside
	rc=$?
	[ "$rc" -ne 77 ] || echo 'SKIPPED: full iteration was not tested (no namespaces here)'
	exit "$rc"
fi

# shellcheck source=tests/lab/mail/lib.sh
. "$top/tests/lab/mail/lib.sh"
lab=$LAB_M/lab
while IFS=$'\t' read -r zone _; do
	file=${zone%.}
	printf '%s\t%s/served/%s\n' "$zone" "$lab" "${file:-root}"
done <"$lab/zones.tsv" >"$tmp/zones"
printf 'elsewhere.example. 60 IN SOA ns.test. h.test. 1 60 60 60 60\nelsewhere.example. 60 IN NS ns.test.\n' >"$tmp/elsewhere"
printf 'elsewhere.example.\t%s\n' "$tmp/elsewhere" >"$tmp/other"
cat >"$tmp/hints" <<-END
	. 3600 IN NS ns.test.
	ns.test. 3600 IN A 127.0.0.1
	ns.test. 3600 IN A 127.0.0.2
	ns.test. 3600 IN A 127.0.0.3
END
cat >"$tmp/conf" <<-END
	[dns]
	root_hints = $tmp/hints
	trust_anchor = $lab/trust-anchor.key
	[network]
	allow = 127.0.0.0/8
	allow = ::ffff:127.0.0.0/104
	allow = ::1
	smtp_port = 25
	https_port = 443
	ca_file = $lab/ca/root.pem
	ehlo_name = probe.test
	[crawl]
	deadline = 60
END
check 'NSD on port 53' dns_serve whole 127.0.0.53 "$tmp/zones"
check 'a lame server beside it' dns_serve lame 127.0.0.2 "$tmp/other"
"$LAB_BIN/labd" "$lab" 25 443 53 >"$tmp/ports" 2>"$tmp/labd.err" &
check 'labd' await line "$tmp/ports" '^25 443 53$'

# The slow kinds cost their time limits and say nothing about DNS.
jq -n -c '[inputs] | group_by(.kind) | .[][0] | select(.kind | startswith("slow-") | not)' \
	"$lab/truth.jsonl" >"$tmp/truth"
jq -r .domain "$tmp/truth" |
	xargs preload25 --config "$tmp/conf" check --json >"$tmp/check.jsonl" 2>"$tmp/log"
jq -n -c --slurpfile truth "$tmp/truth" --slurpfile got "$tmp/check.jsonl" '
	($got | map({key: .domain, value: .}) | from_entries) as $by | $truth[] | . as $t | $by[.domain] as $g |
	select($g == null or $g.verdict != $t.verdict and ($t.verdict != "fail" or $g.verdict != "pass" or $g.eligible)
		or $g.eligible != $t.eligible
		or ($t.auth != null and $t.auth != $g.auth) or ($t.mode != null and $t.mode != $g.mode)
		or ($t.codes - [$g.findings[].code] | length > 0)) |
	{domain, want: [$t.verdict, $t.auth, $t.mode, $t.codes],
		got: [$g.verdict, $g.auth, $g.mode, [$g.findings[] | select(.severity != "info") | [.code, .message]]]}' >"$tmp/seen"
total=$(wc -l <"$tmp/truth")
if [ "$(wc -l <"$tmp/check.jsonl")" = "$total" ] && [ "$total" -gt 100 ] && [ ! -s "$tmp/seen" ]; then
	ok "iterating from the root: the ground truth of one domain of each of $total kinds"
else
	head -c 3000 "$tmp/log" >>"$tmp/seen"
	not_ok "iterating from the root: the ground truth of one domain of each of $total kinds" "$tmp/seen"
fi

finish
