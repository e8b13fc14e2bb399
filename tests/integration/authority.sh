#!/bin/bash
# An authority in the lab: init, import, a week of crawls, and every domain's verdict against the
# lab's ground truth. Then what may go wrong: kill -9 at random moments of a crawl, ^C, two crawls at
# once, a resolver that is dead; owners who leave or move; the operator's acts.
#
# KILLS and SEED in the environment repeat or lengthen the killing; SINNERS: so many misbehaving hosts
# among the others (default 100; sinners.sh has a thousand, and measures).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --sinners "${SINNERS:-100}"

kills=${KILLS:-20}
RANDOM=${SEED:-$((EPOCHSECONDS % 32768))}
echo "# seed $RANDOM, $kills kills"
auth=$tmp/auth
conf=$auth/preload25.conf
now=$(now_s)
total=$(wc -l <"$LAB_DIR/truth.jsonl")
day() { at $((now + $1 * 86400)) preload25 --config "${2:-$conf}" "${@:3}"; } # day N CONF COMMAND...
due() { day "$1" "$2" status | sed -n 's/^vantage point local: \([0-9]*\) due now.*/\1/p'; }

# --- a week --------------------------------------------------------------------------------------
if ! authority_make "$auth" "$LAB_DIR" 2>"$tmp/log"; then
	not_ok 'init' "$tmp/log"
	finish
fi
ok 'init'
expect 'import' 0 '' preload25 --config "$conf" import "$LAB_DIR/domains.txt"
check 'import says how many' grep -qx "$total new candidates, 0 known already, 0 refused" "$tmp/out"
expect 'importing again changes nothing' 0 '' preload25 --config "$conf" import "$LAB_DIR/domains.txt"
check 'and says so' grep -qx "0 new candidates, $total known already, 0 refused" "$tmp/out"
cp -r "$auth" "$tmp/killed" # for the kills below: nothing was looked at yet

begin=${EPOCHREALTIME/[.,]/}
if authority_week "$auth" "$now" >"$tmp/log" 2>&1; then ok 'nine daily crawls'; else
	not_ok 'nine daily crawls' "$tmp/log"; fi
crawl_ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 9000))
check 'nothing is due after a crawl' test "$(due 0 "$conf")" = 0

# What the last crawl said of every domain, as the store remembers it.
while read -r domain; do
	printf '%s\t%s\n' "$domain" "$(day 0 "$conf" status "$domain" |
		sed -n 's/^  seen by *local [^:]*:[^:]*:[^:]*: \(fit\|not fit\|could not be told\).*/\1/p')"
done <"$LAB_DIR/domains.txt" >"$tmp/crawled"
# The truth is that of one look. After a week a silent host beside a good one is no obstacle (R3.18),
# and a STARTTLS that is refused for the moment is the owner's fault (R5.5).
jq -r '[.domain, if .verdict == "unknown" then "could not be told" elif .eligible then "fit" else "not fit" end] | @tsv' \
	"$LAB_DIR/truth.jsonl" | sort >"$tmp/truth"
jq -r '.domain as $d | select(.verdict == "unknown") | .codes |
	if . == ["mx-unreachable"] then [$d, "fit"] elif . == ["starttls-temporary"] then [$d, "not fit"]
	else empty end | @tsv' "$LAB_DIR/truth.jsonl" | sort >"$tmp/grown"
join -t "$(printf '\t')" -a 1 -o 0,1.2,2.2 "$tmp/truth" "$tmp/grown" |
	awk -F'\t' '{ print $1 "\t" ($3 == "" ? $2 : $3) }' >"$tmp/week"
check 'there are dead hosts and lasting 454s among them' test \
	"$(cut -f2 "$tmp/grown" | sort -u | tr '\n' ,)" = 'fit,not fit,'
if diff <(sort "$tmp/week") <(sort "$tmp/crawled") >"$tmp/seen" && [ "$(wc -l <"$tmp/crawled")" = "$total" ]; then
	ok "the crawl's verdict after a week is the ground truth's for all $total domains"
else
	not_ok "the crawl's verdict after a week is the ground truth's for all $total domains" "$tmp/seen"
fi

# And in detail, by check: verdict, what was verified, mode, and the findings that must be there.
xargs preload25 --config "$conf" check --json <"$LAB_DIR/domains.txt" >"$tmp/check.jsonl" 2>"$tmp/log"
truth_differs "$LAB_DIR/truth.jsonl" "$tmp/check.jsonl" >"$tmp/seen"
if [ "$(wc -l <"$tmp/check.jsonl")" = "$total" ] && [ ! -s "$tmp/seen" ]; then
	ok 'check --json: verdict, auth, mode and findings of all domains'
else
	not_ok 'check --json: verdict, auth, mode and findings of all domains' "$tmp/seen"
fi
check 'check --json answers in the order of the question' \
	cmp <(jq -r .domain "$tmp/check.jsonl") "$LAB_DIR/domains.txt"

# --- statistics: what the crawls have kept is what check sees ------------------------------------
expect 'stats --json' 0 '' day 0 "$conf" stats --json
cp "$tmp/out" "$tmp/stats"
seen_by_check() { # seen_by_check CODE: domains with such a finding
	jq -s --arg code "$1" 'map(select(any(.findings[]; .code == $code))) | length' "$tmp/check.jsonl"
}
seen_by_stats() {
	jq --arg code "$1" '[.findings[] | select(.code == $code).domains] | add // 0' "$tmp/stats"
}
for code in mx-ipv4-only tls-client-certificate-requested tls-client-certificate-required starttls-not-offered; do
	check "stats counts the domains with $code" test "$(seen_by_stats "$code")" = "$(seen_by_check "$code")"
done
check 'stats: every domain is in the count of TLS versions' \
	test "$(jq '[.tls.domains[]] | add' "$tmp/stats")" = "$total"
addresses='[.[].mx[] | .host as $h | .sessions[] | select(.tls != null) | {k: "\($h) \(.address)", r: .client_certificate_requested}] | unique_by(.k)'
check 'stats: addresses with TLS, and those that ask for a client certificate' test \
	"$(jq -c '[.client_certificates | .addresses, .requested]' "$tmp/stats")" = \
	"$(jq -cs "$addresses | [length, (map(select(.r)) | length)]" "$tmp/check.jsonl")"
expect 'stats for people' 0 '' day 0 "$conf" stats
check 'it says how many insist on a client certificate' grep -qE '^  insisted on +[1-9]' "$tmp/out"

# --- one domain ----------------------------------------------------------------------------------
day 0 "$conf" history bank.test >"$tmp/out"
sed 's/  evidence [0-9]*$//' "$tmp/out" | cut -c26- >"$tmp/seen"
cat >"$tmp/want" <<-END
	came in as candidate, by import
	candidate -> pending    eligibility-observing  (seen by local)
	pending   -> listed     entry-listed  (seen by local)
END
check 'history of bank.test' diff "$tmp/want" "$tmp/seen"
check 'listed on the eighth day' grep -q "^$(date -u -d "@$((now - 86400))" +%F).*entry-listed" "$tmp/out"
expect 'status of bank.test' 0 '' day 0 "$conf" status bank.test
check 'it is listed' grep -q '^bank.test: listed since' "$tmp/out"
expect 'check: fit' 0 '' preload25 --config "$conf" check bank.test
expect 'check: not fit' 1 '' preload25 --config "$conf" check bank.test cafe.test
expect 'check: what is no domain' 1 '' preload25 --config "$conf" check 'no domain'
expect 'submit: a listed domain stays listed' 0 '' day 0 "$conf" submit bank.test
check 'submit says its state' grep -q '^bank.test is listed' "$tmp/out"
check 'and when the next look is due' \
	grep -qE '^the next look from vantage point local is due [0-9]{4}-[0-9]{2}-[0-9]{2} .* UTC$' "$tmp/out"
expect 'submit: not fit' 1 '' day 0 "$conf" submit cafe.test

# --- owners --------------------------------------------------------------------------------------
printf 'version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n' >"$tmp/none"
printf 'version: STSv1\r\nmode: testing\r\nmx: *.shop-mail.test\r\nmx: *.bank.test\r\nmax_age: 604800\r\n' >"$tmp/moved"
check 'village.test leaves by its policy' lab policy-set "$LAB_DIR" village.test "$tmp/none"
check 'bank.test changes its policy' lab policy-set "$LAB_DIR" bank.test "$tmp/moved"
check 'the next crawl' day 1 "$conf" crawl --once
day 1 "$conf" history village.test >"$tmp/out"
check 'village.test is off the list, proven' grep -q 'listed *-> removed *leave-proven' "$tmp/out"
day 1 "$conf" status bank.test >"$tmp/out"
check 'the entry of bank.test followed' \
	grep -q '"max_age":604800,"mode":"testing","mxs":\["\*.bank.test","\*.shop-mail.test"\]' "$tmp/out"
day 1 "$conf" history bank.test >"$tmp/out"
check 'and its history says so' grep -q 'listed *-> listed *entry-changed' "$tmp/out"

# --- the operator --------------------------------------------------------------------------------
expect 'refuse' 0 '' day 1 "$conf" refuse university.test --reason 'court order 12/34'
day 1 "$conf" history university.test >"$tmp/out"
check 'the reason is kept' grep -q 'listed *-> refused *operator-refused: court order 12/34  (by the operator)' "$tmp/out"
expect 'refused whatever it shows' 0 '' day 1 "$conf" submit university.test
check 'it stays refused' grep -q '^university.test is refused' "$tmp/out"
expect 'hold' 0 '' day 1 "$conf" hold --reason 'asked by mail' shop.test
expect 'remove' 0 '' day 1 "$conf" --reason 'test' remove clinic.test
expect 'an act on a domain nobody knows' 2 'not known' day 1 "$conf" remove nobody.test --reason x

# --- a crawl that is killed ----------------------------------------------------------------------
PRELOAD25_NOW=$(date -u -d "@$now" +%FT%TZ)
export PRELOAD25_NOW
killed=$tmp/killed/preload25.conf
left=$total
bad=0
cut=0
# The moments are within a share of what a crawl takes here and now.
longest=$((crawl_ms / 24 + 20))
for ((i = 0; i < kills && left > total / 2; i++)); do
	ms=$((RANDOM % longest + 20))
	# In the foreground timeout does not kill itself, too, and so sees the end.
	{ timeout --foreground -s KILL "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" \
		preload25 --config "$killed" crawl --once >/dev/null 2>&1; } 2>/dev/null || cut=$((cut + 1))
	before=$left
	left=$(due 0 "$killed")
	if [ -z "$left" ] || [ "$left" -gt "$before" ]; then
		echo "kill $i after $ms ms: $before were due before, ${left:-no answer} after" >>"$tmp/bad"
		bad=1
	elif [ "$left" -eq "$before" ]; then
		longest=$((longest * 3 / 2)) # too early for anything to be kept
	fi
done
if [ "$bad" -eq 0 ]; then ok "crawl survives kill -9 ($cut of $i runs cut short, $left of $total left)"; else
	not_ok 'crawl survives kill -9' "$tmp/bad"; fi
check 'the kills were spread over the crawl' test "$left" -gt 0 -a "$left" -lt "$total"
check 'the next run goes on where they stopped' sh -c "preload25 --config '$killed' crawl --once >'$tmp/rest'"
check 'with what was left, nothing else' grep -q "^$left domains in " "$tmp/rest"
check 'nothing is due then' test "$(due 0 "$killed")" = 0
# Every domain has been looked at exactly as if nobody had been killed.
while read -r domain; do
	printf '%s\t%s\n' "$domain" "$(day 0 "$killed" status "$domain" |
		sed -n 's/^  seen by *local [^:]*:[^:]*:[^:]*: \(fit\|not fit\|could not be told\).*/\1/p')"
done <"$LAB_DIR/domains.txt" >"$tmp/after"
# Two owners have changed their policy meanwhile.
check 'every domain has its verdict' diff <(grep -v '^village.test' "$tmp/truth") \
	<(sort "$tmp/after" | grep -v '^village.test')

# --- a crawl that is interrupted, and one too many --------------------------------------------------
crawl_until() { # crawl_until SIGNAL: a crawl that gets the signal once it has kept something
	local start pid crawl end=$((SECONDS + 300))
	start=$(due 1 "$killed")
	# So few at once that it is far from its end when it has kept something.
	day 1 "$killed" crawl --once --concurrency 10 >"$tmp/crawl.log" 2>&1 &
	pid=$!
	while [ "$(due 1 "$killed")" = "$start" ] && [ $SECONDS -lt $end ]; do
		read -r -t 0.1 <> <(:) || : # a pause without a process
	done
	# The job is the shell that set the clock; the crawl is its child. It stands still while the second one comes.
	crawl=$(ps -o pid= --ppid "$pid" | head -n 1)
	kill -STOP "$crawl"
	expect 'a second crawl of the same vantage point' 3 'lock|another' day 1 "$killed" crawl --once
	kill -"$1" "$crawl"
	kill -CONT "$crawl"
	wait "$pid"
}
crawl_until INT
rc=$?
if [ "$rc" -eq 3 ] && grep -q '^interrupted: ' "$tmp/crawl.log"; then ok '^C ends a crawl with exit 3'; else
	echo "exit $rc" >>"$tmp/crawl.log"
	not_ok '^C ends a crawl with exit 3' "$tmp/crawl.log"
fi
check 'and the next run goes on' day 1 "$killed" crawl --once
check 'to the end' test "$(due 1 "$killed")" = 0

# --- a dead resolver -----------------------------------------------------------------------------
sed -i "s/^forward = .*/forward = 127.0.0.1@1/" "$killed"
before=$(due 2 "$killed")
day 2 "$killed" crawl --once >"$tmp/seen" 2>&1
rc=$?
check 'a vantage point without DNS abstains' test "$rc" -eq 3
check 'and says why' grep -q 'local abstains: verifier-resolver-broken' "$tmp/seen"
check 'and keeps nothing' test "$(due 2 "$killed")" = "$before"
finish
