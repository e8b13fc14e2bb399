#!/bin/bash
# Two vantage points with one store, and an internet that looks different to each of them: the lab is
# changed between the crawl of one and that of the other. What only the two looks together show is
# in status DOMAIN, and nothing is admitted that they contradict each other about.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --domains 600

auth=$tmp/auth
conf=$auth/preload25.conf
start=$(now_s)
policy=$LAB_DIR/policies/university.test
cp "$policy" "$tmp/policy"
{ cat "$policy" && printf 'x-note: moved\r\n'; } >"$tmp/policy.there"

# look POINT MINUTES: one crawl; status DOMAIN MINUTES leaves what is known then in $tmp/out.
look() { at $((start + $2 * 60)) preload25 --config "$conf" crawl --once --vantage "$1" >"$tmp/log" 2>&1; }
status() { at $((start + $2 * 60)) preload25 --config "$conf" status "$1" >"$tmp/out"; }
says() { # says NAME REGEX [DOMAIN MINUTES]
	[ $# -eq 2 ] || status "$3" "$4"
	check "$1" grep -qE "$2" "$tmp/out"
}
says_not() {
	[ $# -eq 2 ] || status "$3" "$4"
	if grep -qE "$2" "$tmp/out"; then not_ok "$1" "$tmp/out"; else ok "$1"; fi
}
# What the point "there" sees, and what the point "here" does.
there() {
	lab zone-set "$LAB_DIR" bank.test MX '10 mx1.bank.test.' &&
		lab policy-set "$LAB_DIR" university.test "$tmp/policy.there" &&
		lab set "$LAB_DIR" "$shop_host" greeting-554
}
here() {
	lab zone-set "$LAB_DIR" bank.test MX '10 mx1.bank.test.' '20 mx2.bank.test.' &&
		lab policy-set "$LAB_DIR" university.test "$tmp/policy" &&
		lab set "$LAB_DIR" "$shop_host" ok
}

if ! authority_make "$auth" "$LAB_DIR" 2>"$tmp/log"; then
	not_ok 'init' "$tmp/log"
	finish
fi
printf '[vantage]\nname = here\nname = there\n[life]\njoin = 3600\n' >>"$conf"
printf 'bank.test\nuniversity.test\nshop.test\n' >"$tmp/domains"
check 'import' preload25 --config "$conf" import "$tmp/domains"
shop_host=$(preload25 --config "$conf" check --json shop.test | jq -r '.mx[0].host')
check 'the first look, here' look here 0
check 'what there is to see from there' there
check 'the first look, there' look there 1

moment='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5,8} UTC'
for point in here there; do
	says "who saw it, when, and when the next look is due: $point" \
		"^  seen by +$point $moment: .*; next look $moment\$" bank.test 2
done
says 'another MX set: said' 'mx-inconsistent: mx2.bank.test: .*seen by vantage point here and not by there' bank.test 2
says 'and nobody is admitted yet' '^bank.test: pending'
says 'a block list: advice, and no fail' 'smtp-blocked-here: .*vantage point there is refused, here is welcomed' shop.test 2
says 'which is not counted against the domain' 'seen by +there .*could not be told: smtp-greeting-rejected' shop.test 2
says_not 'another policy text: not news within the hour' 'mta-sts-policy-inconsistent' university.test 2

check 'six hours later, here' here
check 'a look' look here 361
check 'and there' there
check 'a look, too' look there 362
says 'a domain that they see differently is not listed' '^bank.test: pending' bank.test 363
says 'nor one whose policy is another for each' '^university.test: pending' university.test 363
says 'another policy text for more than an hour: said' \
	'mta-sts-policy-inconsistent: university.test: the text of the policy is another for vantage point there than for here' university.test 363
says 'a domain that one of them may not look at is listed' '^shop.test: listed' shop.test 363

check 'there sees what here sees' here
check 'after six hours: here' look here 723
check 'and there, in agreement' look there 724
says 'they agree, so the domain is listed' '^bank.test: listed' bank.test 725
# The look from here was before there came round.
sed -n '/seen by *there/,$p' "$tmp/out" >"$tmp/newest" && cp "$tmp/newest" "$tmp/out"
says_not 'and the newest look says nothing any more' 'inconsistent'
says 'the text of the policy was changed and not its id' 'mta-sts-id-unchanged: _mta-sts.university.test' university.test 725
says_not 'the block list has forgotten' 'smtp-blocked-here' shop.test 725
check 'history names both points' \
	sh -c "preload25 --config '$conf' history bank.test | grep -q 'entry-listed  (seen by here,there\|entry-listed  (seen by there,here'"
# The clock stands still for one of them: what it saw is too old to count.
status bank.test 1700
says 'views of another round do not count' 'together +vantage-too-few'
finish
