#!/bin/bash
# A crawl among a thousand hosts that misbehave: the verdicts of all others stay what they are, the
# sinners get theirs, and memory does not grow with their number. Wall clock and resident memory
# with and without them are printed; nothing depends on the clock.
#
# SINNERS in the environment: how many (default 1000).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

sinners=${SINNERS:-1000}
in_a_lab "${1:-}" --sinners "$sinners"

# measured FILE COMMAND...: the command; its largest resident size in KiB, as the kernel knows it, goes to FILE.
measured() {
	/usr/bin/python3 -c 'import resource, subprocess, sys
rc = subprocess.call(sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=open(sys.argv[1], "w"))
sys.exit(rc)' "$@"
}
# crawl NAME FILE: imports FILE into a new authority and looks once at all of it. Leaves NAME.seen
# (domain and verdict), NAME.kib (the largest resident size) and NAME.ms.
crawl() {
	local conf=$tmp/$1/preload25.conf begin
	authority_make "$tmp/$1" "$LAB_DIR" && preload25 --config "$conf" import "$2" || return
	begin=${EPOCHREALTIME/./}
	measured "$tmp/$1.kib" preload25 --config "$conf" crawl --once || return
	echo $(((${EPOCHREALTIME/./} - begin) / 1000)) >"$tmp/$1.ms"
	while read -r domain; do
		printf '%s\t%s\n' "$domain" "$(preload25 --config "$conf" status "$domain" |
			sed -n 's/^  seen by *local [^:]*:[^:]*:[^:]*: \(fit\|not fit\|could not be told\).*/\1/p')"
	done <"$2" | sort >"$tmp/$1.seen"
}

is_sinner='(.kind | startswith("sin-") or . == "slow-tarpit")'
jq -r "select($is_sinner | not).domain" "$LAB_DIR/truth.jsonl" >"$tmp/good.txt"
jq -r '[.domain, if .verdict == "unknown" then "could not be told" elif .eligible then "fit" else "not fit" end] | @tsv' \
	"$LAB_DIR/truth.jsonl" | sort >"$tmp/truth"
check "there are $sinners sinners and more" test \
	$(($(wc -l <"$LAB_DIR/truth.jsonl") - $(wc -l <"$tmp/good.txt"))) -ge "$sinners"

check 'a crawl without them' crawl without "$tmp/good.txt"
check 'a crawl with them' crawl with "$LAB_DIR/domains.txt"
check 'every verdict without them is the ground truth' \
	diff <(join -t $'\t' <(sort "$tmp/good.txt") "$tmp/truth") "$tmp/without.seen"
check 'every verdict with them is the ground truth, theirs too' diff "$tmp/truth" "$tmp/with.seen"

for name in without with; do
	echo "# $name them: $(wc -l <"$tmp/$name.seen") domains, $(cat "$tmp/$name.ms") ms," \
		"$(cat "$tmp/$name.kib") KiB resident at most"
done
# Twice as many domains, and what they send is never kept: far less than twice would do.
check 'memory stays within three times' test "$(cat "$tmp/with.kib")" -lt $((3 * $(cat "$tmp/without.kib")))
finish
