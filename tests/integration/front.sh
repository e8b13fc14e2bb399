#!/bin/bash
# Name servers that fail at some questions, and names that change their addresses (DNS rebinding): what
# is asked of the lab's name servers and where connections go, beside the verdicts that the ground
# truth has of every kind.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

in_a_lab "${1:-}"

conf=$LAB_DIR/preload25.conf
# sins ZONE: questions that its script has hit so far.
sins() { lab stats "$LAB_DIR" | awk -F'\t' -v z="$1" '$1 == "dns" && $2 == z { print $4 }'; }
# connections SERVICE ADDRESS
connections() {
	lab stats "$LAB_DIR" | awk -F'\t' -v s="$1" -v a="$2" '$1 == "address" && $2 == s && $3 == a { print $4 }'
}
# look DOMAIN: check in a process of its own, with nothing remembered. Its report is in $tmp/report.
look() { preload25 --config "$conf" check --json "$1" >"$tmp/report" 2>&1 || :; }
# seen NAME FILTER: the report is so.
seen() {
	if jq -e "$2" "$tmp/report" >"$tmp/seen" 2>&1; then ok "$1"; else not_ok "$1" "$tmp/report"; fi
}

# --- what is asked --------------------------------------------------------------------------------
look ns-tlsa-refused-1.test
seen 'TLSA refused: could not tell' '.verdict == "unknown" and (.eligible | not)'
seen 'and nowhere "no TLSA"' '[.findings[].code] | index("dane-no-tlsa") == null'
check 'the question was asked, and again in other ways (R2.8)' test "$(sins ns-tlsa-refused-1.test)" -ge 3
look ns-unsigned-tlsa-refused-1.test
seen 'the same without DNSSEC: fit' '.verdict == "pass" and .eligible'
check 'nobody has asked for TLSA records there (R12.4)' test "$(sins ns-unsigned-tlsa-refused-1.test)" = 0

# --- changed while it runs ------------------------------------------------------------------------
look clinic.test
seen 'clinic.test is sound' '.verdict == "pass" and .auth == ["dane"]'
for sin in refused notimp servfail formerr truncate other deny drop slow; do
	check "its name servers: tlsa:$sin" lab dns-set "$LAB_DIR" clinic.test "tlsa:$sin"
	look clinic.test
	seen "tlsa:$sin: could not tell, and says why" \
		'.verdict == "unknown" and (.eligible | not) and any(.findings[]; .code == "dane-tlsa-lookup-failed")'
done
for sin in refused notimp servfail formerr truncate other; do
	check "its name servers: optin:$sin" lab dns-set "$LAB_DIR" clinic.test "optin:$sin"
	look clinic.test
	seen "optin:$sin: could not tell, and no record is not what it says" '.verdict == "unknown" and (.eligible | not)
		and ([.findings[].code] | index("dns-temporary") != null and index("preload-record-missing") == null)'
done
check 'its name servers are well again' lab dns-set "$LAB_DIR" clinic.test ok
look clinic.test
seen 'and so is clinic.test' '.verdict == "pass" and .auth == ["dane"]'
expect 'a script that is none' 2 '^lab: no DNS behaviour "tlsa:lie"' lab dns-set "$LAB_DIR" clinic.test tlsa:lie

# --- rebinding (R3.14) ----------------------------------------------------------------------------
# Each name of bank.test answers once as it should, then with an address that is not allowed here;
# somebody listens there, with good certificates.
sed 's,^allow = 127\.0\.0\.0/8$,allow = 127.0.0.0/9,' "$conf" >"$tmp/conf"
conf=$tmp/conf
trap_address=127.200.0.1
for name in mx1.bank.test mx2.bank.test; do
	printf 'smtp\t%s\t%s\tok\n' "$trap_address" "$name"
done >>"$LAB_DIR/hosts.tsv"
printf 'https\t%s\tmta-sts.bank.test\tok\n' "$trap_address" >>"$LAB_DIR/hosts.tsv"
check 'bank.test changes its addresses' lab dns-set "$LAB_DIR" bank.test address:rebind
look bank.test
seen 'the first answer: fit' '.verdict == "pass" and .eligible'
check 'no name was asked for a second time before the connection' test "$(sins bank.test)" = 0
look bank.test
seen 'the second: its MX are refused' 'any(.findings[]; .code == "mx-special-address" and .severity == "fail")'
seen 'and so is its policy host' 'any(.findings[]; .code == "mta-sts-policy-special-address" and .severity == "fail")'
check 'nobody went to the mail server there' test "$(connections smtp $trap_address)" = 0
check 'nor to the policy host' test "$(connections https $trap_address)" = 0
conf=$LAB_DIR/preload25.conf
look bank.test
check 'who is allowed to, does' test "$(connections smtp $trap_address)" -ge 1 -a "$(connections https $trap_address)" -ge 1

finish
