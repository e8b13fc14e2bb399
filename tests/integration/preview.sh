#!/bin/bash
# preview --probe against the mail servers of the lab, at port 25: one domain for each way in which they behave,
# and what would become of mail to it; by authorities, by DANE, and by DANE where nobody validates. Then stats of the
# same log, from a file that was compressed.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"

# What becomes of mail to a server that behaves so.
ways() {
	cat <<-'END'
		ok good
		wildcard good
		tls12-only good
		sni-required good
		request-client-cert good
		self-signed certificate
		unknown-ca certificate
		wrong-name certificate
		expired certificate
		not-yet-valid certificate
		no-starttls no_tls
		starttls-stripped no_tls
		starttls-454 no_tls
		starttls-5xx no_tls
		tls-alert handshake
		tls-close handshake
		tls-old handshake
		refused no_answer
	END
}
# The same by DANE: a name, how the zone is signed, the behaviour, the TLSA record ("-": none), what becomes of it.
dane_ways() {
	cat <<-'END'
		end nsec unknown-ca 311 good
		end-other-name nsec3 wrong-name 311 good
		authority nsec3 dane-ta 201 good
		authority-other-name nsec dane-ta-wrong-name 201 certificate
		mismatch nsec ok 311bad certificate
		stripped nsec starttls-stripped 311 no_tls
		alert nsec tls-alert 311 handshake
		missing nsec ok - tlsa
		unusable nsec ok 111 tlsa
		unsigned none ok 311 tlsa
		bogus bad-tlsa ok 311 no_answer
	END
}
# A domain for each: as lines DOMAIN HOST BEHAVIOUR WHAT-BECOMES AUTH ZONE TLSA, and as a plan for lab extend.
cases() {
	local name zone how tlsa want
	while read -r how want; do echo "way-$how.test mx1.way-$how.test $how $want pkix none -"; done < <(ways)
	while read -r name zone how tlsa want; do
		echo "dane-$name.test mx1.dane-$name.test $how $want dane $zone $tlsa"
	done < <(dane_ways)
}
plan() {
	local domain host how zone tlsa number=0
	while read -r domain host how _ _ zone tlsa; do
		number=$((number + 1))
		echo "zone $domain $zone"
		echo "host $host 127.249.0.$number $how"
		echo "record $domain MX 10 $host."
		[ "$tlsa" = - ] || echo "tlsa $host $how ${tlsa:0:1} ${tlsa:1:1} ${tlsa:2:1} ${tlsa:3}"
	done < <(cases)
}

if [ "${1:-}" != --inside ]; then
	if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
		skip 'preview --probe: port 25 needs root and namespaces'
		exit 77
	fi
	plan >"$tmp/plan"
	if ! { lab make "$tmp/lab" && lab extend "$tmp/lab" "$tmp/plan"; } >"$tmp/log" 2>&1; then
		not_ok 'a lab with a server for each way of behaving' "$tmp/log"
		finish
	fi
	"$top/tests/lab/mail/in-lab" "$tmp/lab" "$0" --inside
	exit
fi

# shellcheck disable=SC2034 # tuf.bash reads them
{
	start=$(moment now) list_expires=$(moment '+10 days') expires=$(moment '+300 days')
	timestamp_expires=$(moment '+2 days')
	keys=$tmp/auth/keys
}
new_authority "$tmp/auth" >"$tmp/log" || { not_ok 'an authority' "$tmp/log"; finish; }

# An entry that names another server than DNS does; a domain that is not there.
{
	cases
	echo 'bank.test mx.elsewhere.test moved other_host pkix'
	echo 'nowhere.invalid mx.nowhere.invalid gone no_answer pkix'
} | LC_ALL=C sort -u -k 1,1 >"$tmp/listed"

entry() { # DOMAIN HOST AUTH
	printf '"%s":{"auth":["%s"],"max_age":2592000,"mode":"enforce","mxs":["%s"],"source":"mta-sts","tls":"1.2"}' \
		"$1" "$3" "$2"
}
mapfile -t entries < <(while read -r domain host _ _ auth _; do
	entry "$domain" "$host" "$auth"
	echo
done <"$tmp/listed")
lines "${entries[@]}" | whole 1 >"$tmp/list"
new_site "$tmp/site" "$tmp/auth"
publish "$tmp/site" 1 "$tmp/list"

while read -r domain host _; do
	echo "$start mail postfix/smtp[7]: A1: to=<u@$domain>, relay=${host}[127.0.0.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
done <"$tmp/listed" >"$tmp/mail.log"
head -n 1 "$tmp/listed" | while read -r domain host _; do
	for id in B1 B2 B2; do
		echo "$start mail postfix/smtp[8]: $id: to=<u@$domain>, relay=${host}[127.0.0.9]:25, delay=1, delays=0/0/0/1, dsn=4.7.4, status=deferred (TLS is required, but was not offered by host ${host}[127.0.0.9])"
	done
	echo "$start mail postfix/smtp[8]: B1: to=<u@$domain>, relay=${host}[127.0.0.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
done >>"$tmp/mail.log"

cat >"$tmp/conf" <<END
[source]
url = file:$tmp/site
root = $tmp/auth/root.json
[state]
dir = $tmp/state
[install]
path = $tmp/map
dane = yes
[log]
path = $tmp/mail.log
END
update() { preload25-update --config "$tmp/conf" "$@"; }
update --dry-run >"$tmp/log" 2>&1 || { not_ok 'the list is fetched' "$tmp/log"; finish; }

expect 'preview --probe answers' 0 '' update preview --probe --json
cp "$tmp/out" "$tmp/probe.json"
check 'for every domain of the log' jq -e --argjson n "$(wc -l <"$tmp/listed")" \
	'(.probe.by_domain | length == $n) and .listed.clear + .listed.untold + .listed.other_host >= $n' "$tmp/probe.json"
while read -r domain _ how want _; do
	jq -e --arg d "$domain" --arg w "$want" '.probe.by_domain[$d].verdict == $w' "$tmp/probe.json" >/dev/null ||
		echo "$domain ($how): want $want, got $(jq -c --arg d "$domain" '.probe.by_domain[$d]' "$tmp/probe.json")"
done <"$tmp/listed" >"$tmp/differs"
if [ -s "$tmp/differs" ]; then
	not_ok "what would become of mail to $(wc -l <"$tmp/listed") domains today" "$tmp/differs"
else
	ok "what would become of mail to $(wc -l <"$tmp/listed") domains today: as their servers behave"
fi
expect 'the same in words' 0 '' update preview --probe
check 'says which would wait, and why' grep -qE '^ +[0-9]+ would wait: STARTTLS is not offered$' "$tmp/out"
check 'and names them' grep -qE '^ +bank\.test +would wait: DNS names no server' "$tmp/out"

check 'DANE, too' grep -qE '^ +[0-9]+ would wait: DNS has no secure TLSA records for it that can be used$' "$tmp/out"
# The name server itself: it answers, and validates nothing.
sed 's/^nameserver .*/nameserver 127.0.0.53/' /etc/resolv.conf >"$tmp/resolv.conf"
cat "$tmp/resolv.conf" >/etc/resolv.conf
expect 'preview --probe answers without a resolver that validates' 0 '' update preview --probe --json
check 'DANE was not looked at' jq -e --argjson n "$(dane_ways | wc -l)" '.probe.sum.dane == $n and .probe.sum.tlsa == 0' "$tmp/out"
check 'the rest was' jq -e '.probe.by_domain["way-ok.test"].verdict == "good"' "$tmp/out"

# --- the same mail in the words of each mail server ---------------------------------------------------
# One message verified, one in clear; one held up for want of TLS, and later delivered; one held up for its
# certificate, until the queue gave it up.
d=way-ok.test h=mx1.way-ok.test
said_by_postfix() {
	line() { echo "$start mail postfix/$1"; }
	tls() { line "smtp[$1]: Verified TLS connection established to ${h}[127.0.0.9]:25: TLSv1.3 with cipher X"; }
	to() { line "smtp[$1]: $2: to=<u@$d>, relay=${h}[127.0.0.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=$3"; }
	tls 1 && to 1 A1 'sent (250 ok)'
	to 2 A2 'sent (250 ok)'
	to 3 A3 "deferred (TLS is required, but was not offered by host ${h}[127.0.0.9])"
	to 4 A4 'deferred (Server certificate not verified)'
	tls 5 && to 5 A3 'sent (250 ok)'
	line 'qmgr[9]: A4: from=<a@home.test>, status=expired, returned to sender'
}
said_by_exim() {
	line() { echo "${start:0:10} ${start:11:8} 1vOabc-00000001abc-000$1 $2 u@$d R=preload25 T=preload25_pkix$3"; }
	line 1 '=>' " H=$h [127.0.0.9] X=TLS1.3:X:256 CV=yes C=\"250 ok\""
	line 2 '=>' " H=$h [127.0.0.9] C=\"250 ok\""
	line 3 == " defer (-38) H=$h [127.0.0.9]: a TLS session is required, but the server did not offer TLS support"
	line 4 == " defer (-37) H=$h [127.0.0.9]: TLS session: (certificate verification failed): certificate invalid"
	line 3 '=>' " H=$h [127.0.0.9] X=TLS1.3:X:256 CV=yes C=\"250 ok\""
	line 4 '**' ': retry timeout exceeded'
}
said_by_sendmail() {
	line() { echo "$start mail sm-mta[$1]: $2"; }
	tls() { line "$1" "STARTTLS=client, relay=$h., version=TLSv1.3, verify=TRUSTED, cipher=X, bits=256/256"; }
	to() { line "$1" "$2: to=<u@$d>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, relay=$h. [192.0.2.9], $3"; }
	no() { line "$1" "ruleset=tls_server, arg1=$2, relay=$h, reject=403 4.7.0 $3"; }
	tls 1 && to 1 6A1 'dsn=2.0.0, stat=Sent (ok)'
	to 2 6A2 'dsn=2.0.0, stat=Sent (ok)'
	no 3 NONE 'other side does not support STARTTLS'
	to 3 6A3 'dsn=4.7.0, stat=Deferred: 403 4.7.0 other side does not support STARTTLS'
	no 4 FAIL 'authentication failed'
	to 4 6A4 'dsn=4.7.0, stat=Deferred: 403 4.7.0 authentication failed'
	tls 5 && to 5 6A3 'dsn=2.0.0, stat=Sent (ok)'
	line 6 '6A4: 6A5: DSN: Cannot send message for 5 days'
}
said_by_opensmtpd() {
	line() { echo "$start mail smtpd[7]: $1"; }
	session() { line "000000000000000$1 mta $2"; }
	asks() { session "$1" "connecting address=smtp+tls://192.0.2.$1:25 host=192.0.2.$1"; }
	tls() { session "$1" 'tls ciphers=TLSv1.3:X:256' && session "$1" 'cert-check result="valid" fingerprint="X"'; }
	to() {
		session "$1" "delivery evpid=$2$2 from=<a@home.test> to=<u@$d> rcpt=<-> source=\"-\" relay=\"$3\" delay=0s result=\"$4\" stat=\"$5\""
	}
	fails() {
		asks "$1" && session "$1" "error reason=$2"
		line "smtp-out: Disabling route [] <-> 192.0.2.$1 (192.0.2.$1) for 15s"
		later=$(date -u -d "$start + 2 seconds" +%Y-%m-%dT%H:%M:%SZ)
		echo "$later mail smtpd[7]: smtp-out: No valid route for [connector:[]->[relay:$d,smtp+tls],0x0]"
		to 0 "$3" "$d" TempFail 'Network error on destination MXs'
		line "smtp-out: Enabling route [] <-> 192.0.2.$1 (192.0.2.$1)"
	}
	asks 1 && tls 1 && to 1 0000000a '192.0.2.1 (192.0.2.1)' Ok '250 ok'
	asks 2 && to 2 0000000b '192.0.2.1 (192.0.2.1)' Ok '250 ok'
	fails 3 'TLS required but not supported by remote host' 0000000c
	fails 4 'IO Error: certificate verification failed: unable to get local issuer certificate' 0000000d
	asks 5 && tls 5 && to 5 0000000c '192.0.2.1 (192.0.2.1)' Ok '250 ok'
	line "relay: Expire for 0000000d0000000d: from=<a@home.test>, to=<u@$d>, rcpt=<->, delay=4d, stat=Envelope expired"
}
for mta in postfix exim sendmail opensmtpd; do
	"said_by_$mta" >"$tmp/$mta.log"
	expect "stats of $mta's log answers" 0 '' update stats --json "$tmp/$mta.log"
	check "and tells what became of four messages" jq -e '.listed | del(.not_sent) | with_entries(select(.value != 0)) ==
		{verified: 2, clear: 1, held: 2, held_no_tls: 1, held_certificate: 1, held_delivered: 1, held_bounced: 1}' \
		"$tmp/out"
done

# --- what the list did, from a log that was rotated and compressed -----------------------------------
gzip "$tmp/mail.log" && mv "$tmp/mail.log.gz" "$tmp/mail.log.1.gz" && : >"$tmp/mail.log"
expect 'stats answers' 0 '' update stats --json
check 'two messages were held up, each once; one went later' jq -e \
	'.listed.held == 2 and .listed.held_no_tls == 2 and .listed.held_delivered == 1' "$tmp/out"
check 'both files were read' jq -e '.read | length == 2' "$tmp/out"
expect 'of no days nothing is known' 2 'not a number from 1' update stats --days 0
expect 'a log that is not there' 2 'no-such-log' update preview "$tmp/no-such-log"
finish
