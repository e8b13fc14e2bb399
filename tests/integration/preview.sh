#!/bin/bash
# preview --probe against the mail servers of the lab, at port 25: one domain for each way in which they behave,
# and what would become of mail to it. Then stats of the same log, from a file that was compressed.
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
# A domain for each: as lines DOMAIN HOST BEHAVIOUR WHAT-BECOMES, and as a plan for lab extend.
cases() {
	local how want
	while read -r how want; do echo "way-$how.test mx1.way-$how.test $how $want"; done < <(ways)
}
plan() {
	local domain host how number=0
	while read -r domain host how _; do
		number=$((number + 1))
		echo "zone $domain none"
		echo "host $host 127.249.0.$number $how"
		echo "record $domain MX 10 $host."
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

# An entry that names another server than DNS does; one for DANE.
{
	cases
	echo 'bank.test mx.elsewhere.test moved other_host'
	echo 'clinic.test mx1.clinic.test dane dane'
	echo 'nowhere.invalid mx.nowhere.invalid gone no_answer'
} | LC_ALL=C sort -u -k 1,1 >"$tmp/listed"

entry() { # DOMAIN HOST AUTH
	printf '"%s":{"auth":["%s"],"max_age":2592000,"mode":"enforce","mxs":["%s"],"source":"mta-sts","tls":"1.2"}' \
		"$1" "$3" "$2"
}
mapfile -t entries < <(while read -r domain host how _; do
	auth=pkix
	[ "$how" != dane ] || auth=dane
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
while read -r domain _ how want; do
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

# --- what the list did, from a log that was rotated and compressed -----------------------------------
gzip "$tmp/mail.log" && mv "$tmp/mail.log.gz" "$tmp/mail.log.1.gz" && : >"$tmp/mail.log"
expect 'stats answers' 0 '' update stats --json
check 'two messages were held up, each once; one went later' jq -e \
	'.listed.held == 2 and .listed.held_no_tls == 2 and .listed.held_delivered == 1' "$tmp/out"
check 'both files were read' jq -e '.read | length == 2' "$tmp/out"
expect 'of no days nothing is known' 2 'not a number from 1' update stats --days 0
expect 'a log that is not there' 2 'no-such-log' update preview "$tmp/no-such-log"
finish
