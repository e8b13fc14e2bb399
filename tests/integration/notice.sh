#!/bin/bash
# What the owner of a domain is told before each step of its entry (R20.4, R20.8): listed, broken,
# listed as testing, off the list; to the address that the domain publishes, with the dates that the
# steps then really come at.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --domains 600

auth=$tmp/auth
conf=$auth/preload25.conf
start=$(now_s)
if ! authority_make "$auth" "$LAB_DIR" 2>"$tmp/log"; then
	not_ok 'init' "$tmp/log"
	finish
fi
printf '[authority]\ncontact = mailto:operator@lists.test\n[life]\njoin = 3600\n' >>"$conf"
printf '%s\n' clinic.test shop.test >"$tmp/domains"
check 'import' preload25 --config "$conf" import "$tmp/domains"

# look DAY: a crawl; notice DAY NAME: what is to be told then, in $tmp/out.
look() { at $((start + $1 * 86400)) preload25 --config "$conf" crawl --once >"$tmp/log" 2>&1; }
notice() { expect "$2" 0 '' at $((start + $1 * 86400)) preload25 --config "$conf" notice clinic.test; }
says() { check "it says: $1" sh -c "tr -s '\n ' ' ' <'$tmp/out' | grep -qE \"\$0\"" "$1"; }
iso() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }

check 'shop.test publishes no address' lab zone-set --delete "$LAB_DIR" _smtp._tls.shop.test TXT
check 'a first look' look 0
expect 'pending: there is nothing to tell' 1 '' preload25 --config "$conf" notice clinic.test
check 'a second one' look 1
notice 1 'listed'
/usr/bin/python3 - "$tmp/out" >"$tmp/seen" 2>&1 <<-'END'
	import email, email.policy, sys
	m = email.message_from_file(open(sys.argv[1]), policy=email.policy.default)
	assert m["From"] == "operator@lists.test", m["From"]
	assert m["To"] == "postmaster@clinic.test", m["To"]
	assert m["Subject"] == "clinic.test is on the preload list", m["Subject"]
	assert m["Auto-Submitted"] == "auto-generated"
	assert m.get_content_type() == "text/plain" and "_preload25.clinic.test. IN TXT" in m.get_content()
	assert not m.defects, m.defects
END
check 'it is a message to the address in the opt-in record' test ! -s "$tmp/seen"
says "until $(iso $((start + 31 * 86400))) at the latest: it was last confirmed at $(iso $((start + 86400)))"
expect 'a domain without an address is not written to' 1 '' preload25 --config "$conf" notice shop.test
check 'and the operator reads why' grep -qx 'shop.test: publishes no address for notices' "$tmp/out"

# --- a break ---------------------------------------------------------------------------------------
for host in mx1 mx2; do
	check "$host offers no STARTTLS" lab set "$LAB_DIR" "$host.clinic.test" no-starttls
done
check 'a look at the broken host' look 2
notice 2 'broken: told at once'
says '^.*Subject: clinic.test would not receive mail from careful senders'
says 'first at '"$(iso $((start + 2 * 86400)))"
says '\(starttls-not-offered\) Install a certificate and switch TLS on for port 25'
demoted=$((start + 16 * 86400))
removed=$((start + 30 * 86400))
says "becomes one for testing at $(iso $demoted)"
says "taken off the list at $(iso $removed)"
says "until $(iso $((start + 31 * 86400))) at the latest"
for ((day = 3; day < 16; day++)); do look "$day" || break; done
status() { at $((start + $1 * 86400)) preload25 --config "$conf" status clinic.test; }
check 'a day before that it is not one for testing' sh -c "! grep -q 'listed as testing'" < <(status 15)
check 'the look of that day' look 16
check 'on the day it is' grep -q 'listed as testing' < <(status 16)
notice 16 'and the owner reads so'
says 'has become one for testing'
says "taken off the list at $(iso $removed)"
for ((day = 17; day < 30; day++)); do look "$day" || break; done
check 'a day before that it is on the list' grep -q '^clinic.test: failing' < <(status 29)
check 'the look of that day' look 30
check 'on the day it is off' grep -q '^clinic.test: removed' < <(status 30)
notice 30 'and the owner reads so, too'
says 'is not on the preload list for port 25 any more since '"$(iso $removed)"
says '\(entry-removed\)'
says 'keeps the entry that it has until its max_age has passed'

# --- what cannot be ----------------------------------------------------------------------------------
sed '/^contact/d' "$conf" >"$auth/none.conf"
expect 'an authority without an address sends no notices' 2 'contact' \
	preload25 --config "$auth/none.conf" notice clinic.test
expect 'a domain that nobody knows' 1 '' preload25 --config "$conf" notice nobody.test
finish
