#!/bin/bash
# The lab itself: its DNS, mail and policy servers are what the ground truth says they are, it can be
# changed while it runs, several run at once, and none of it outlives its owner.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

export LAB_ROOT=${LAB_ROOT:-$top/build/lab-root}
check 'packages are unpacked' "$top/scripts/lab-packages" "$LAB_ROOT" nsd unbound-host

# tree PID: the process and all below it.
tree() {
	local child
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		tree "$child"
	done
}
# gone PID...: all of them end within the bound. A zombie that nobody reaps has ended, too.
gone() {
	local pid rc=0
	for pid in "$@"; do
		[ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ] || continue
		timeout 120 tail --pid="$pid" -f /dev/null || {
			echo "still there: $(ps -o pid=,stat=,args= -p "$pid")"
			rc=1
		}
	done
	return "$rc"
}
# env_of DIR NAME: a variable of the lab's lab.env.
env_of() { (. "$1/lab.env" && eval "echo \"\$$2\""); }
# address_of DIR HOST: where it lives.
address_of() { awk -F'\t' -v h="$2" '$3 == h { print $2; exit }' "$1/hosts.tsv"; }

check 'lab make' lab make "$tmp/one" --seed 1
check 'lab make, another seed' lab make "$tmp/two" --seed 2 --domains 600
check 'lab make, the first seed again' lab make "$tmp/again" --seed 1
for f in truth.jsonl domains.txt zones.tsv hosts.tsv nsd-zones.conf zones/bank.test; do
	check "the same seed gives the same $f" cmp "$tmp/one/$f" "$tmp/again/$f"
done
expect 'a folder that is not empty is refused' 2 '^lab: .*not empty' lab make "$tmp/one"
expect 'a folder that is no lab is refused' 2 '^lab: .*not a lab' lab start "$tmp"
check 'lab make, some kinds on few hosts' lab make "$tmp/few" --domains 200 --kinds plain,plain-own --mx-hosts 70
check 'only these kinds' test "$(sort "$tmp/few/domains.txt" | sed 's/-[0-9]*\.test$//' | uniq -c | tr -s ' \n' ' ')" \
	= ' 179 plain 21 plain-own '
few=$(grep -c '^smtp' "$tmp/few/hosts.tsv")
check "about as many hosts as were asked for ($few of 70)" test "$few" -ge 60 -a "$few" -le 80
expect 'a kind nobody knows is refused' 2 '^lab: no kind "nothing"$' lab make "$tmp/none" --kinds plain,nothing

# --- a plan of a test's own -----------------------------------------------------------------------
refused() { # refused WHY LINE...: a plan that is not taken
	local why=$1
	shift
	printf '%s\n' "$@" >"$tmp/plan"
	expect "a plan is refused: $why" 2 "^lab: $tmp/plan:$#: .*$why" lab extend "$tmp/few" "$tmp/plan"
}
refused 'named twice' 'zone twice.test none' 'zone twice.test nsec'
refused 'the lab has this zone' "zone $(sed -n 's/^\([^.]*\.test\)\.\t.*/\1/p' "$tmp/few/zones.tsv" | head -n 1) none"
refused 'in no zone of the plan' 'zone one.test none' 'record mx1.other.test A 127.0.0.9'
refused 'usage 3 or 1' 'zone one.test none' 'tlsa mx1.one.test ok 2 1 1 bad'
cat >"$tmp/plan" <<-END
	zone far.test nsec
	host mx1.far.test 198.18.0.1 ok
	tlsa mx1.far.test ok 3 1 1
	tlsa mx1.far.test ok 3 1 1 bad
	record far.test MX 10 mx1.far.test.
END
check 'lab extend' lab extend "$tmp/few" "$tmp/plan"
check '... has the host' test "$(address_of "$tmp/few" mx1.far.test)" = 198.18.0.1
check '... and two keys, of which it shows one' \
	test "$(grep -o 'TLSA 3 1 1 [0-9a-f]*' "$tmp/few/zones/far.test" | sort -u | wc -l)" -eq 2
check 'lab host-add, where an address is not of 127.0.0.0/8' lab host-add "$tmp/few" mx2.far.test ok
check '... gives one that is' sh -c 'case $1 in 127.*) ;; *) exit 1 ;; esac' sh "$(address_of "$tmp/few" mx2.far.test)"

check 'every domain has a verdict' test "$(wc -l <"$tmp/one/truth.jsonl")" -eq 1200
check 'truth is JSON, whatever is eligible passes' jq -es \
	'all(.[]; (.verdict == "pass" or (.eligible | not)) and (.codes | type) == "array")' "$tmp/one/truth.jsonl"
good=$(jq -s '[.[] | select(.verdict == "pass")] | length' \
	"$tmp/one/truth.jsonl")
check "about 70 % are sound ($good of 1200)" test "$good" -ge 780 -a "$good" -le 960

# --- two at once ----------------------------------------------------------------------------------
check 'lab start' lab start "$tmp/one"
check 'lab start, a second one' lab start "$tmp/two"
expect 'the same one twice is refused' 3 '^lab: .*runs already' lab start "$tmp/one"
for l in one two; do
	check "lab status: $l runs" lab status "$tmp/$l"
done
for v in LAB_DNS_PORT LAB_SMTP_PORT LAB_HTTPS_PORT; do
	check "the two have a $v each" test "$(env_of "$tmp/one" $v)" != "$(env_of "$tmp/two" $v)"
done

# --- DNSSEC, as an independent validator sees it --------------------------------------------------
cat >"$tmp/unbound.conf" <<-END
	server:
	  do-not-query-localhost: no
	  trust-anchor-file: "$tmp/one/trust-anchor.key"
	  local-zone: "test." nodefault
	  verbosity: 0
	forward-zone:
	  name: "."
	  forward-addr: $(env_of "$tmp/one" LAB_DNS)
END
ask() { # ask TYPE NAME
	LD_LIBRARY_PATH=$(printf '%s:' "$LAB_ROOT"/usr/lib/*-linux-gnu*) \
		"$LAB_ROOT/usr/bin/unbound-host" -v -C "$tmp/unbound.conf" -t "$1" "$2" 2>&1
}
dns() { # dns REGEX TYPE NAME
	ask "$2" "$3" >"$tmp/dns"
	if grep -qE "$1" "$tmp/dns"; then ok "DNS: $2 $3: $1"; else not_ok "DNS: $2 $3: $1" "$tmp/dns"; fi
}
signed_as() { # signed_as WORD: the first kind-made domain whose zone is signed that way
	awk -F'\t' -v w="$1" '$2 == w && $1 ~ /^sts-enforce-[0-9]/ { sub(/\.$/, "", $1); print $1; exit }' \
		"$tmp/one/zones.tsv"
}
dns '10 mx1.clinic.test. \(secure\)' MX clinic.test
dns 'TLSA record 3 1 1 .*\(secure\)' TLSA _25._tcp.mx1.clinic.test
dns 'NXDOMAIN.*\(secure\)' TLSA _25._tcp.mx9.clinic.test
dns '\(insecure\)' MX "$(signed_as none)"
dns '\(secure\)' MX "$(signed_as nsec)"
dns '\(secure\)' MX "$(signed_as nsec3)"
dns 'NXDOMAIN.*\(secure\)' TXT "nothing.$(signed_as nsec3)"
dns '\(insecure\)' MX sts-unknown-algorithm-1.test
dns 'NXDOMAIN.*\(secure\)' MX no-such-domain-1.test
dns 'BOGUS' MX bogus-ds-1.test
dns 'signature expired' MX bogus-expired-1.test
dns 'BOGUS' MX bogus-mx-1.test
dns 'spf1.*\(secure\)' TXT bogus-mx-1.test
dns 'BOGUS' TLSA _25._tcp.mx1.tlsa-bogus-1.test
dns 'SERVFAIL' MX dns-servfail-1.test
dns 'alias for _mta-sts-clients' TXT _mta-sts.sts-delegated-1.test

# --- SMTP with STARTTLS ---------------------------------------------------------------------------
smtp() { # smtp NAME REGEX HOST [s_client options]: what openssl s_client says
	local name=$1 regex=$2 host=$3
	shift 3
	printf 'QUIT\n' | timeout 120 openssl s_client -starttls smtp -crlf -servername "$host" \
		-connect "$(address_of "$tmp/one" "$host"):$(env_of "$tmp/one" LAB_SMTP_PORT)" \
		-CAfile "$tmp/one/ca/root.pem" -verify_hostname "$host" "$@" >"$tmp/smtp" 2>&1
	if grep -qE "$regex" "$tmp/smtp"; then ok "SMTP: $name"; else not_ok "SMTP: $name" "$tmp/smtp"; fi
}
smtp 'bank.test is sound' 'Verify return code: 0' mx1.bank.test
smtp 'TLS 1.3 by default' 'TLSv1.3' mx1.bank.test
smtp 'tls12-only refuses TLS 1.3' 'alert protocol version' mx1.sts-tls12-1.test -tls1_3
smtp 'tls12-only takes TLS 1.2' 'Verify return code: 0' mx1.sts-tls12-1.test -tls1_2
smtp 'wrong name' 'hostname mismatch' mx1.cert-wrong-name-1.test
smtp 'expired' 'certificate has expired' mx1.cert-expired-1.test
smtp 'not yet valid' 'not yet valid' mx1.cert-not-yet-valid-1.test
smtp 'self-signed' 'self-signed certificate' mx1.cert-self-signed-1.test
smtp 'unknown authority' 'unable to get local issuer' mx1.cert-unknown-ca-1.test
smtp 'asks in vain for a client certificate' 'alert handshake failure' mx1.tls12-client-cert-demanded-1.test -tls1_2
smtp 'incomplete chain' 'unable to verify the first certificate' mx1.cert-incomplete-1.test
smtp 'wildcard' 'Verify return code: 0' mx1.sts-wildcard-cert-1.test
smtp 'TLS 1.2 in records of a single octet' 'Verify return code: 0' mx1.sts-tls12-single-octets-1.test -msg
check 'a thousand records of one handshake' test "$(grep -c 'RecordHeader' "$tmp/smtp")" -gt 1000
smtp 'no STARTTLS' "[Dd]idn't find STARTTLS|starttls not" mx1.cafe.test
smtp 'refused' 'Connection refused' mx1.mx-refused-1.test
smtp 'asks for a client certificate' 'Client Certificate Types|Requested Signature Algorithms' \
	mx1.sts-client-cert-asked-1.test
tlsa=$(ask TLSA _25._tcp.mx1.clinic.test | sed -n 's/.*TLSA record \([0-9] [0-9] [0-9] [0-9A-F]*\).*/\1/p')
smtp 'DANE-EE matches' 'Verify return code: 0' mx1.clinic.test \
	-dane_tlsa_domain mx1.clinic.test -dane_tlsa_rrdata "$tlsa" -dane_ee_no_namechecks
tlsa=$(ask TLSA _25._tcp.mx1.tlsa-mismatch-1.test |
	sed -n 's/.*TLSA record \([0-9] [0-9] [0-9] [0-9A-F]*\).*/\1/p')
smtp 'DANE-EE mismatch' 'no matching DANE TLSA records' mx1.tlsa-mismatch-1.test \
	-dane_tlsa_domain mx1.tlsa-mismatch-1.test -dane_tlsa_rrdata "$tlsa"

# --- policy hosts ---------------------------------------------------------------------------------
policy() { # policy NAME REGEX DOMAIN: status, type and text as curl sees them
	local host=mta-sts.$3 port
	port=$(env_of "$tmp/one" LAB_HTTPS_PORT)
	curl -sS --tlsv1.2 --noproxy '*' --max-time 120 --cacert "$tmp/one/ca/root.pem" \
		--resolve "$host:$port:$(address_of "$tmp/one" "$host")" \
		-w '\nstatus %{http_code} %{content_type} %{redirect_url}\n' \
		"https://$host:$port/.well-known/mta-sts.txt" >"$tmp/policy" 2>&1
	if grep -qE "$2" "$tmp/policy"; then ok "HTTPS: $1"; else not_ok "HTTPS: $1" "$tmp/policy"; fi
}
policy 'policy of bank.test' '^mode: enforce' bank.test
policy 'as text/plain' '^status 200 text/plain' bank.test
policy '404' '^status 404' policy-404-1.test
policy '503' '^status 503' policy-503-1.test
policy 'redirect' '^status 301 .*https://www' policy-redirect-1.test
policy 'text/html' '^status 200 text/html' policy-html-1.test
policy 'wrong name' 'no alternative certificate subject name matches|SSL: .*match' policy-cert-name-1.test
policy 'expired' 'certificate has expired' policy-cert-expired-1.test
policy 'refused' 'Failed to connect|refused' policy-refused-1.test
policy 'reset' 'reset' policy-reset-1.test
policy 'old TLS' 'alert protocol version' policy-tls-old-1.test
policy 'cut short' 'transfer closed|end of response' policy-truncated-1.test

# --- changes while it runs ------------------------------------------------------------------------
check 'lab set' lab set "$tmp/one" mx1.bank.test expired
smtp 'the change is there' 'certificate has expired' mx1.bank.test
check 'lab set, nothing listens' lab set "$tmp/one" mx1.bank.test refused
smtp 'the address is closed' 'Connection refused' mx1.bank.test
check 'lab set, as before' lab set "$tmp/one" mx1.bank.test ok
smtp 'as before' 'Verify return code: 0' mx1.bank.test
expect 'a behaviour that does not exist' 2 '^lab: no behaviour "rude"' lab set "$tmp/one" mx1.bank.test rude
expect 'a host that does not exist' 2 '^lab: mx1.nowhere.test: no such host' \
	lab set "$tmp/one" mx1.nowhere.test ok

check 'lab zone-set' lab zone-set "$tmp/one" _mta-sts.clinic.test TXT 'v=STSv1; id=2;'
dns 'id=2;.*\(secure\)' TXT _mta-sts.clinic.test
check 'lab zone-set, a whole RRset' lab zone-set "$tmp/one" clinic.test MX '5 mx2.clinic.test.' '7 mx1.clinic.test.'
dns '5 mx2.clinic.test. \(secure\)' MX clinic.test
check 'lab zone-set --delete' lab zone-set --delete "$tmp/one" _preload25.clinic.test TXT
dns 'has no TXT record \(secure\)|NXDOMAIN.*\(secure\)' TXT _preload25.clinic.test
expect 'a record that is none' 2 '^lab: .*clinic.test.*' lab zone-set "$tmp/one" clinic.test MX 'high'
dns '5 mx2.clinic.test. \(secure\)' MX clinic.test
expect 'a name in no zone of ours is still below the root' 0 '' lab zone-set "$tmp/one" new.test A 127.0.0.9

printf 'version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n' >"$tmp/none.txt"
check 'lab policy-set' lab policy-set "$tmp/one" bank.test "$tmp/none.txt"
policy 'the new policy' '^mode: none' bank.test
check 'lab policy-set for a domain without' lab policy-set "$tmp/one" clinic.test "$tmp/none.txt"
policy 'the first policy' '^mode: none' clinic.test
check 'lab host-add' lab host-add "$tmp/one" mx3.bank.test ok
smtp 'the new host' 'Verify return code: 0' mx3.bank.test
dns 'has address 127\.' A mx3.bank.test

# --- mail, counters -------------------------------------------------------------------------------
printf 'Subject: proof\n\nover TLS\n' >"$tmp/mail.txt"
check 'a message is sent' curl -sS --max-time 120 --ssl-reqd --cacert "$tmp/one/ca/root.pem" \
	--resolve "mx2.bank.test:$(env_of "$tmp/one" LAB_SMTP_PORT):$(address_of "$tmp/one" mx2.bank.test)" \
	"smtp://mx2.bank.test:$(env_of "$tmp/one" LAB_SMTP_PORT)/client.test" \
	--mail-from alice@sender.test --mail-rcpt bob@bank.test -T "$tmp/mail.txt"
check 'and stored, with its TLS version' grep -q '^X-Lab-Tls: TLSv1.3' "$tmp"/one/mail/mx2.bank.test/*.eml
check 'with its envelope' grep -q '^X-Lab-To: <bob@bank.test>' "$tmp"/one/mail/mx2.bank.test/*.eml
check 'lab stats --reset' lab stats --reset "$tmp/one"
a=$(address_of "$tmp/one" mx2.bank.test)
for _ in 1 2 3; do
	# The server has closed it before the next one comes.
	smtp 'counted' 'Verify return code: 0' mx2.bank.test -ign_eof
done
lab stats "$tmp/one" >"$tmp/stats"
check 'three connections are counted, never two at once' \
	awk -F'\t' -v a="$a" '$1 == "address" && $2 == "smtp" && $3 == a { found = $4 == 3 && $6 == 1 }
		END { exit !found }' "$tmp/stats"

# --- the end --------------------------------------------------------------------------------------
mapfile -t pids < <(tree "$(env_of "$tmp/one" LAB_SUPERVISOR)")
check "a lab has processes (${#pids[@]})" test "${#pids[@]}" -ge 4
check 'lab stop' lab stop "$tmp/one"
check 'nothing is left after stop' gone "${pids[@]}"
expect 'lab status: not running' 1 '' lab status "$tmp/one"

mapfile -t pids < <(tree "$(env_of "$tmp/two" LAB_SUPERVISOR)")
kill -9 "${pids[0]}"
check 'nothing is left when the supervisor is killed' gone "${pids[@]}"
check 'and it can be started again' lab start "$tmp/two"
mapfile -t pids < <(tree "$(env_of "$tmp/two" LAB_SUPERVISOR)")
kill -9 "$(env_of "$tmp/two" LAB_LABD)"
check 'nothing is left when a server dies' gone "${pids[@]}"

rc=0
lab run "$tmp/two" -- sh -c '. "$LAB_DIR/lab.env"; tail -f /dev/null & echo $! >"$LAB_DIR/left"; exit 7' || rc=$?
check 'lab run: exit code of the command' test "$rc" -eq 7
check 'lab run: what the command left behind has ended' gone "$(cat "$tmp/two/left")"
expect 'lab run: the lab has ended' 1 '' lab status "$tmp/two"

# A failed test: its shell is killed, and with it lab run; nobody gets to clean up.
mkfifo "$tmp/running"
lab run "$tmp/two" -- sh -c 'echo running >"$0"; tail -f /dev/null' "$tmp/running" &
run=$!
read -r _ <"$tmp/running"
mapfile -t pids < <(tree "$run")
kill -9 "$run"
wait "$run" 2>/dev/null
check "nothing is left when lab run is killed (${#pids[@]} processes)" gone "${pids[@]}"

sh -c 'echo $$; exec tail -f /dev/null' >"$tmp/owner" &
owner=$!
check 'lab start --owner' lab start "$tmp/two" --owner "$owner"
mapfile -t pids < <(tree "$(env_of "$tmp/two" LAB_SUPERVISOR)")
kill -9 "$owner"
wait "$owner" 2>/dev/null
check 'the lab ends with its owner' gone "${pids[@]}"

finish
