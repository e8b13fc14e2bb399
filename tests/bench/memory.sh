#!/bin/bash
# memory.sh: resident memory with 10,000 domains in flight, whose MX hosts serve a few domains each, and
# whether it grows with the length of the input.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
in_a_world "${1:-}" --domains "$(size 48000 100000)" --kinds plain-own --mx-hosts "$(size 5000 10000)"

head -n "$(size 16000 20000)" "$LAB_DIR/domains.txt" >"$work/short"
engine short "$work/short" --concurrency 10000
engine long "$LAB_DIR/domains.txt" --concurrency 10000
for name in short long; do
	printf '%-13s %d domains, %d in flight at most: %d MiB (goal: below 200)\n' "$name input" \
		"$(figure $name domains)" "$(figure $name in_flight_max)" "$(figure $name memory_mib)"
done
ratio 'times the memory for the long input' "$(figure long memory_mib)" "$(figure short memory_mib)" 1.1
