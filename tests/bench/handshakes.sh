#!/bin/bash
# handshakes.sh: every domain has an MX host of its own, with TLS 1.3 and a P-256 certificate. What the
# crawl spends on a domain, DNS apart (the same crawl with look-ups only is taken off), against a plain
# loop over the same hosts that connects, says EHLO and STARTTLS, shakes hands, verifies and says QUIT.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
in_a_world "${1:-}" --domains "$(size 3000 10000)" --kinds plain-own

awk -F'\t' '$1 == "smtp" && $3 ~ /^mx1\.plain-own/ { print $2, $3 }' "$LAB_DIR/hosts.tsv" >"$work/hosts"
loop() {
	local n cpu each

	read -r n cpu each version < <(bench_smtp "$LAB_SMTP_PORT" "$LAB_CA_FILE" <"$work/hosts") || exit
	printf 'domains=%s\ncpu_s=%s\neach_ms=%s\n' "$n" "$cpu" "$each" >"$work/loop"
}
least loop loop
least whole engine whole "$LAB_DIR/domains.txt"
least dns engine dns "$LAB_DIR/domains.txt" --look-ups-only
n=$(figure whole domains)
[ "$(figure whole pass)" = "$n" ] || { echo "only $(figure whole pass) of $n domains passed" >&2; exit 1; }
apart=$(awk "BEGIN { print ($(figure whole cpu_s) - $(figure dns cpu_s)) / $n * 1000 }")
awk -v n="$n" -v whole="$(figure whole cpu_s)" -v dns="$(figure dns cpu_s)" -v apart="$apart" \
	-v loop="$(figure loop each_ms)" -v version="$version" 'BEGIN {
	printf "crawl         %.3f ms of CPU per domain, %.3f of them with look-ups only\n", whole / n * 1000, dns / n * 1000
	printf "DNS apart     %.3f ms\n", apart
	printf "plain loop    %.3f ms (OpenSSL %s)\n", loop, version
}'
ratio 'times the CPU of the plain loop' "$apart" "$(figure loop each_ms)" 1.5
