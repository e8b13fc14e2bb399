#!/bin/bash
# providers.sh: many domains on few MX hosts, as in life (in full: 100,000 on 2,000). Each address gets
# one SMTP session however many domains use it; what a domain costs against the same crawl with look-ups
# only.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
in_a_world "${1:-}" --domains "$(size 20000 100000)" --kinds plain,plain-own --mx-hosts "$(size 400 2000)"

[ -z "${BENCH_FULL:-}" ] || runs=1
least dns engine dns "$LAB_DIR/domains.txt" --look-ups-only
lab stats --reset "$LAB_DIR" >/dev/null || exit
runs=1 least whole engine whole "$LAB_DIR/domains.txt"
lab stats "$LAB_DIR" >"$work/stats" || exit
awk -F'\t' '$1 == "address" && $2 == "smtp" && $4 > 0 { n++; c += $4; if ($4 > most) most = $4 }
	END { printf "addresses=%d\nconnections=%d\nmost=%d\n", n, c, most }' "$work/stats" >"$work/seen"
[ "$runs" = 1 ] || least whole engine whole "$LAB_DIR/domains.txt"
awk -v n="$(figure whole domains)" -v pass="$(figure whole pass)" -v addresses="$(figure seen addresses)" \
	-v connections="$(figure seen connections)" -v most="$(figure seen most)" -v whole="$(figure whole cpu_s)" \
	-v dns="$(figure dns cpu_s)" -v memory="$(figure whole memory_mib)" 'BEGIN {
	printf "crawl         %d domains, %d pass; %d connections to %d addresses, at most %d to one%s\n", n, pass,
		connections, addresses, most, (most == 1 ? "" : ": MISSED")
	printf "              %.3f ms of CPU per domain, %d MiB\n", whole / n * 1000, memory
	printf "look-ups only %.3f ms\n", dns / n * 1000
}'
ratio 'times the CPU of look-ups only' "$(figure whole cpu_s)" "$(figure dns cpu_s)" 1.2
