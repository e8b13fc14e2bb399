#!/bin/bash
# The self-test of a vantage point (R2.2, R4.2): the lab's reference host is taken away, changed and
# masked, and the resolver is one that does not validate; check, submit and crawl abstain each time,
# say why in their own words, and keep nothing.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --domains 600

conf=$LAB_DIR/preload25.conf
# abstains NAME CODE TEXT [CONF]: check of a sound domain and of a broken one ends with 3; every
# report is "unknown" with that one finding, whose message holds the text.
abstains() {
	local name=$1 code=$2 text=$3 rc
	preload25 --config "${4:-$conf}" check --json bank.test cafe.test >"$tmp/json" 2>"$tmp/seen"
	rc=$?
	cat "$tmp/json" >>"$tmp/seen"
	if [ "$rc" -eq 3 ] && jq -es --arg code "$code" --arg text "$text" 'length == 2 and all(.[];
		.verdict == "unknown" and (.eligible | not) and .mx == [] and
		([.findings[].code] | unique) == [$code] and (.findings[0].severity == "temp") and
		(.findings[0].message | contains($text)) and .findings[0].operator == null)' \
		"$tmp/json" >/dev/null; then
		ok "$name: $code"
	else
		not_ok "$name: $code" "$tmp/seen"
	fi
}
reference() { check "the reference host: $1" lab set "$LAB_DIR" reference.test "$1"; }

expect 'a vantage point in order: fit' 0 '' preload25 --config "$conf" check bank.test

# --- port 25 ---------------------------------------------------------------------------------------
reference refused
abstains 'nothing listens there' verifier-port25-blocked 'Connection refused (smtp-connect-refused)'
reference drop-after-connect
abstains 'a firewall that accepts and closes' verifier-port25-blocked '(smtp-connection-lost)'
reference greeting-554
abstains 'it does not want us' verifier-port25-blocked '554 5.7.1 reference.test does not want you'
reference no-starttls
abstains 'STARTTLS is not offered' verifier-port25-intercepted '(starttls-not-offered)'
reference starttls-stripped
abstains 'STARTTLS is masked' verifier-port25-intercepted '(starttls-stripped)'
reference rsa2048
other_key=$(lab cert "$LAB_DIR" reference.test "$tmp/other.pem" rsa2048 >/dev/null &&
	openssl x509 -in "$tmp/other.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)
abstains 'another key, well certified' verifier-port25-intercepted "shows the key $other_key"
preload25 --config "$conf" check bank.test >"$tmp/out"
check 'for people: nothing against the domain' grep -q \
	'the verifier failed its self-test; that says nothing about the domain' "$tmp/out"
expect 'what is no domain is none all the same' 1 '' preload25 --config "$conf" check 'no domain'
{ cat "$conf"; printf '[network]\nreference_spki = %s\n' "$other_key"; } >"$tmp/both.conf"
expect 'a key that was announced is as good' 0 '' preload25 --config "$tmp/both.conf" check bank.test
{ cat "$conf"; printf '[network]\nreference_host = mx1.bank.test\n'; } >"$tmp/hosts.conf"
abstains 'a second host does not outweigh a key that is unknown' verifier-port25-intercepted \
	'which is none of the known ones' "$tmp/hosts.conf"
reference refused
grep -v '^reference_\|^self_test_' "$conf" >"$tmp/none.conf"
expect 'with nothing named nothing is tested' 0 '' preload25 --config "$tmp/none.conf" check bank.test
key=$(preload25 --config "$tmp/none.conf" check --json bank.test | jq -r '.mx[0].sessions[0].spki_sha256')
{ cat "$conf"; printf '[network]\nreference_host = mx1.bank.test\nreference_spki = %s\n' "$key"; } >"$tmp/two.conf"
expect 'one of two reference hosts is enough' 0 '' preload25 --config "$tmp/two.conf" check bank.test

# --- submit and crawl --------------------------------------------------------------------------------
auth=$tmp/auth
if ! authority_make "$auth" "$LAB_DIR" 2>"$tmp/log"; then
	not_ok 'init' "$tmp/log"
	finish
fi
conf=$auth/preload25.conf
expect 'submit abstains' 3 '' preload25 --config "$conf" submit bank.test
check 'and says so' grep -q '^nothing is kept of it: vantage point local abstains' "$tmp/out"
expect 'and has kept nothing' 1 '' preload25 --config "$conf" status bank.test
check 'import' preload25 --config "$conf" import "$LAB_DIR/domains.txt"
now=$(now_s)
at "$now" preload25 --config "$conf" status >"$tmp/before"
for behaviour in refused:blocked no-starttls:intercepted rsa2048:intercepted; do
	reference "${behaviour%:*}"
	expect "crawl abstains (${behaviour%:*})" 3 \
		"^preload25: crawl: vantage point local abstains: verifier-port25-${behaviour#*:}: reference.test\[127.0.0.25\]: " \
		preload25 --config "$conf" crawl --once
done
at "$now" preload25 --config "$conf" status >"$tmp/after"
check 'and nothing is kept of any' diff "$tmp/before" "$tmp/after"
reference ok
check 'with the host in order the crawl goes to its end' preload25 --config "$conf" crawl --once
expect 'submit, too' 0 '' preload25 --config "$conf" submit bank.test

# --- DNS ---------------------------------------------------------------------------------------------
# set_key NAME VALUE: a configuration in which the key has another value.
set_key() { sed "s/^$1 = .*/$1 = $2/" "$LAB_DIR/preload25.conf" >"$tmp/changed.conf"; }
set_key self_test_secure bank.test
abstains 'a name that should be signed is not' verifier-resolver-broken \
	'this name is signed, and came without signatures' "$tmp/changed.conf"
set_key self_test_secure broken.test
abstains 'signatures are refused that should be good' verifier-resolver-broken \
	'this name is signed, and its look-up fails' "$tmp/changed.conf"
set_key self_test_secure nothing-here.test
abstains 'a name that should be there is not' verifier-resolver-broken \
	'proven not to be there' "$tmp/changed.conf"
set_key self_test_bogus reference.test
abstains 'a bogus name is believed' verifier-resolver-broken \
	'its answer was believed (secure)' "$tmp/changed.conf"
set_key forward 127.0.0.1@1
sed -i '/^reference_/d' "$tmp/changed.conf"
abstains 'no resolver at all' verifier-resolver-broken 'its look-up fails' "$tmp/changed.conf"
# An anchor that signs nothing: validation is off, as with a resolver that ignores signatures.
echo 'other.example. IN DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF' \
	>"$tmp/anchor"
set_key trust_anchor "${tmp//\//\\/}\/anchor"
abstains 'a resolver that does not validate' verifier-resolver-broken \
	'came without signatures' "$tmp/changed.conf"
set_key reference_host nothing-here.test
abstains 'a reference host that is not there' verifier-port25-blocked \
	'the reference host has no address' "$tmp/changed.conf"
finish
