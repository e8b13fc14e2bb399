#!/bin/bash
# memory.sh: resident memory with 10,000 domains in flight, whose MX hosts serve a few domains each, and
# whether it grows with the length of the input. The first part of the input fills the resolver's caches
# and the table of hosts (30 MiB and 5,000 hosts, however long the input); from there on nothing may grow.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
in_a_world "${1:-}" --domains "$(size 60000 100000)" --kinds plain-own --mx-hosts "$(size 6000 10000)"

mapfile -t lengths < <(size '16000 36000 60000' '20000 60000 100000' | tr ' ' '\n')
for n in "${lengths[@]}"; do
	head -n "$n" "$LAB_DIR/domains.txt" >"$work/input"
	engine "$n" "$work/input" --concurrency 10000
	printf 'crawl         %d domains, %d in flight at most: %d MiB (goal: below 200)\n' \
		"$(figure "$n" domains)" "$(figure "$n" in_flight_max)" "$(figure "$n" memory_mib)"
done
ratio "times the memory of ${lengths[1]} domains" "$(figure "${lengths[2]}" memory_mib)" \
	"$(figure "${lengths[1]}" memory_mib)" 1.1
