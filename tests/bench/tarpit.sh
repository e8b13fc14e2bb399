#!/bin/bash
# tarpit.sh: one in a hundred MX hosts holds its clients as long as they let it: by silence, by a greeting
# of an octet a second, by silence in the TLS handshake. Wall clock of the crawl against the same crawl
# before they began. The time limits are short, so that the world may be small: at the end the last of
# these hosts is waited for, and that is to be little beside the whole.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
in_a_world "${1:-}" --domains "$(size 12000 60000)" --kinds plain-own --mx-hosts "$(size 4000 10000)"

runs=2
least_of=wall_s
limits=(--step "$(size 3 10)" --concurrency 500)
least before engine before "$LAB_DIR/domains.txt" "${limits[@]}"
awk -F'\t' '$1 == "smtp" && $3 ~ /^mx1\.plain-own/ && ++n % 100 == 0 {
	print $3, (++k % 3 == 1 ? "silent" : k % 3 == 2 ? "tarpit" : "tls-silent")
}' "$LAB_DIR/hosts.tsv" >"$work/tarpits"
while read -r host behaviour; do
	lab set "$LAB_DIR" "$host" "$behaviour" || exit
done <"$work/tarpits"
least after engine after "$LAB_DIR/domains.txt" "${limits[@]}"
awk -v n="$(figure after domains)" -v hosts="$(wc -l <"$work/tarpits")" -v unknown="$(figure after unknown)" \
	-v fail="$(figure after fail)" -v before="$(figure before wall_s)" -v after="$(figure after wall_s)" \
	-v step="${limits[1]}" 'BEGIN {
	printf "tarpits       %d hosts; %d of %d domains could not be told, %d fail\n", hosts, unknown, n, fail
	printf "without them  %.1f s of wall clock\n", before
	printf "with them     %.1f s (limits: %d s a step, %d s a session)\n", after, step, 3 * step
}'
ratio 'times the wall clock' "$(figure after wall_s)" "$(figure before wall_s)" 1.5
