#!/bin/bash
# crawl.sh [DOMAINS]: domains verified per CPU second, preload25 crawl against one posttls-finger
# (Postfix's own probe) per domain, in the same run, on the same lab, resolver included on both sides.
#
# posttls-finger looks at the MX, their STARTTLS and certificate and nothing else; preload25 also
# fetches the policy, validates TLSA and judges. What OpenSSL alone needs for as many TLS handshakes as
# the crawl makes is printed, too: no crawl can be faster. Needs root (namespaces). Prints figures;
# asserts nothing.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-$top/build/rel}
domains=${1:-1200}

if [ "${1:-}" != --inside ]; then
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	"$B/lab/lab" make "$tmp/lab" --domains "$domains" >/dev/null || exit
	B=$B "$top/tests/lab/mail/in-lab" "$tmp/lab" "$top/tests/bench/crawl.sh" --inside
	exit
fi

PATH=$B:$B/lab:$PATH
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT='%U %S %R'
resolver_ticks() { awk '{ print $14 + $15 }' "/proc/$LAB_RESOLVER_PID/stat"; }
measure() { # measure COMMAND...: user, system and wall seconds in $work/time
	{ time "$@" >"$work/out" 2>"$work/err"; } 2>"$work/time"
}

# A third of the domains is sample enough for the slower side; hosts that say nothing are left out
# there, because posttls-finger would wait for them one after another.
jq -r 'select(.kind | startswith("slow") | not) | .domain' "$LAB_DIR/truth.jsonl" | awk 'NR % 3 == 0' >"$work/sample"
n=$(wc -l <"$work/sample")
finger() { xargs -P 4 -n 1 posttls-finger -c -t 10 -T 10 -l secure -F "$LAB_CA_FILE" <"$1"; }
baseline() { # baseline NAME FILE RESULT: a probe for each line of FILE; domains per CPU second in RESULT
	local before after user sys wall

	before=$(resolver_ticks)
	measure finger "$2"
	after=$(resolver_ticks)
	read -r user sys wall <"$work/time"
	awk -v name="$1" -v n="$n" -v u="$user" -v s="$sys" -v w="$wall" -v t=$((after - before)) \
		-v hz="$(getconf CLK_TCK)" -v result="$3" 'BEGIN {
		cpu = u + s + t / hz
		printf "%-17s %5d domains  %7.2f CPU s (%.2f of them resolver)  %6.1f s wall (4 at once)  %7.1f domains per CPU s\n",
			name, n, cpu, t / hz, w, n / cpu
		print n / cpu > result
	}'
}
baseline posttls-finger "$work/sample" "$work/base"
# posttls-finger stops at the first MX that answers; a domain is verified when all of them were seen.
while read -r domain; do
	if [ -e "$LAB_DIR/zones/$domain" ]; then
		awk -v d="$domain." '$1 == d && $4 == "MX" && $6 != "." { sub(/\.$/, "", $6); print "[" $6 "]" }' \
			"$LAB_DIR/zones/$domain"
	fi
done <"$work/sample" >"$work/every-mx"
baseline '  for every MX' "$work/every-mx" "$work/base-every"

cat >"$LAB_DIR/preload25.conf" <<-END
	[dns]
	forward = $LAB_DNS
	trust_anchor = $LAB_TRUST_ANCHOR
	[network]
	allow = 127.0.0.0/8
	ca_file = $LAB_CA_FILE
	ehlo_name = probe.test
	[crawl]
	deadline = 20
	greeting_timeout = 10
	reply_timeout = 10
	connect_timeout = 10
	fetch_timeout = 10
	session_timeout = 15
END
authority_make "$work/auth" "$LAB_DIR" || exit
preload25 --config "$work/auth/preload25.conf" import "$LAB_DIR/domains.txt" >/dev/null || exit
handshakes() { lab stats "$LAB_DIR" | awk -F'\t' '$1 == "host" { n += $5 } END { print n + 0 }'; }
before=$(handshakes)
measure preload25 --config "$work/auth/preload25.conf" crawl --once
read -r user sys wall <"$work/time"
tail -n 1 "$work/out"
n=$(($(handshakes) - before))
awk -v n="$(wc -l <"$LAB_DIR/domains.txt")" -v u="$user" -v s="$sys" -v w="$wall" -v base="$(cat "$work/base")" \
	-v every="$(cat "$work/base-every")" 'BEGIN {
	cpu = u + s
	printf "preload25 crawl   %5d domains  %7.2f CPU s (resolver in process)     %6.1f s wall                %7.1f domains per CPU s\n",
		n, cpu, w, n / cpu
	printf "ratio             %.1f times as many domains per CPU second (goal: at least 10);\n", n / cpu / base
	printf "                  %.1f times where posttls-finger looks at every MX, as the crawl does\n", n / cpu / every
}'
host=mta-sts.bank.test
address=$(awk -F'\t' -v h="$host" '$3 == h { print $2; exit }' "$LAB_DIR/hosts.tsv")
read -r each version < <("$B/bench/bench_handshake" "$address" "$LAB_HTTPS_PORT" "$LAB_CA_FILE" "$host") || exit
awk -v n="$n" -v each="$each" -v version="$version" -v d="$(wc -l <"$LAB_DIR/domains.txt")" -v base="$(cat "$work/base")" 'BEGIN {
	cpu = n * each / 1000
	printf "OpenSSL %-9s %5d handshakes %5.2f CPU s (%.2f ms each, nothing else)                       %7.1f domains per CPU s\n",
		version, n, cpu, each, d / cpu
	printf "bound             %.1f times: a crawl that did nothing but these handshakes\n", d / cpu / base
}'
