#!/bin/bash
# mail_log.sh [DELIVERIES]: how fast preview reads a mail log: Postfix's, as it stands and compressed by gzip, and
# with times as older syslog daemons write them; those of Exim, Sendmail and OpenSMTPD. Each is of so many deliveries;
# Postfix and Sendmail write four lines for one, OpenSMTPD six, Exim three.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-$top/build/rel}
PATH=$B:$B/lab:$PATH
deliveries=${1:-250000}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"
# shellcheck disable=SC2034 # tuf.bash reads them
{
	start=$(moment now) list_expires=$(moment '+10 days') expires=$(moment '+300 days')
	timestamp_expires=$(moment '+2 days')
	keys=$tmp/auth/keys
}
new_authority "$tmp/auth" && new_site "$tmp/site" "$tmp/auth" || exit 1
lines '"d1.example":{"auth":["pkix"],"max_age":2592000,"mode":"enforce","mxs":["mx.d1.example"],"source":"mta-sts","tls":"1.2"}' |
	whole 1 >"$tmp/list"
publish "$tmp/site" 1 "$tmp/list"
printf '[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s\n[install]\npath = %s\ndane = no\n' \
	"$tmp/site" "$tmp/auth/root.json" "$tmp/state" "$tmp/map" >"$tmp/conf"
preload25-update --config "$tmp/conf" --dry-run >"$tmp/said" 2>&1 || { cat "$tmp/said"; exit 1; }

# generate AWK: a log, with what the program prints for each delivery. In it: t the time and the host, d the number of
# a domain, p that of a process, i that of the delivery.
generate() {
	awk -v n="$deliveries" 'BEGIN { for (i = 0; i < n; i++) {
		clock = sprintf("%02d:%02d:%02d", i / 3600 % 24, i / 60 % 60, i % 60)
		t = "2026-11-26T" clock ".123456+00:00 mail "
		d = i % 20000; p = i % 199
		'"$1"'
	} }'
}
# shellcheck disable=SC2016 # awk's
{
	generate '
		printf "%spostfix/smtpd[99]: connect from host%d.example.net[192.0.2.7]\n", t, i
		printf "%spostfix/smtp[%d]: Trusted TLS connection established to mx.d%d.example[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n", t, p, d
		printf "%spostfix/smtp[%d]: 4AB%08X: to=<user@d%d.example>, relay=mx.d%d.example[192.0.2.1]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XYZ)\n", t, p, i, d, d
		printf "%spostfix/qmgr[77]: 4AB%08X: removed\n", t, i' >"$tmp/postfix"
	generate '
		id = sprintf("1vOabc-0000%07d-0001", i)
		printf "2026-11-26 %s %s <= alice@home.example H=localhost [127.0.0.1] P=esmtp S=500\n", clock, id
		printf "2026-11-26 %s %s => user@d%d.example R=dnslookup T=remote_smtp H=mx.d%d.example [192.0.2.1] X=TLS1.3:ECDHE_X25519__ECDSA_SECP256R1_SHA256__AES_256_GCM:256 CV=yes C=\"250 ok\"\n", clock, id, d, d
		printf "2026-11-26 %s %s Completed\n", clock, id' >"$tmp/exim"
	# Each message has a process of its own.
	generate '
		printf "%ssm-mta[%d]: 6AR%011d: from=<alice@home.example>, size=363, class=0, nrcpts=1, msgid=<%d@home.example>, proto=ESMTP, daemon=MTA-v4, relay=localhost [127.0.0.1]\n", t, i % 32000, i, i
		printf "%ssm-mta[%d]: STARTTLS=client, relay=mx.d%d.example., version=TLSv1.3, verify=OK, cipher=TLS_AES_256_GCM_SHA384, bits=256/256\n", t, (i + 1) % 32000, d
		printf "%ssm-mta[%d]: 6AR%011d: to=<user@d%d.example>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=30363, relay=mx.d%d.example. [192.0.2.1], dsn=2.0.0, stat=Sent (2.0.0 Ok: stored)\n", t, (i + 1) % 32000, i, d, d
		printf "%ssendmail[%d]: 6AR%011d: to=user@d%d.example, delay=00:00:00, xdelay=00:00:00, mailer=relay, pri=30182, relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, stat=Sent (ok)\n", t, (i + 2) % 32000, i, d' >"$tmp/sendmail"
	generate '
		s = sprintf("%ssmtpd[611]: %016x", t, i + 1)
		printf "%s mta connecting address=smtp+tls://192.0.2.1:25 host=mx.d%d.example\n", s, d
		printf "%s mta connected\n", s
		printf "%s mta tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256\n", s
		printf "%s mta cert-check result=\"valid\" fingerprint=\"SHA256:51bf58be7a9f2b7ea07ab58ae7ca8d53dbd4eb07\"\n", s
		printf "%s mta delivery evpid=%016x from=<alice@home.example> to=<user@d%d.example> rcpt=<-> source=\"192.0.2.9\" relay=\"192.0.2.1 (192.0.2.1)\" delay=0s result=\"Ok\" stat=\"250 ok\"\n", s, i, d
		printf "%s mta disconnected reason=quit messages=1\n", s' >"$tmp/opensmtpd"
}
gzip -c "$tmp/postfix" >"$tmp/postfix.gz"
sed -E 's/^2026-11-26T([0-9:]{8})\.[0-9]{6}\+00:00/Nov 26 \1/' "$tmp/postfix" >"$tmp/postfix.rfc3164"
for log in postfix postfix.gz postfix.rfc3164 exim sendmail opensmtpd; do
	size=$(stat -c %s "$tmp/${log%.gz}") count=$(wc -l <"$tmp/${log%.gz}")
	begin=${EPOCHREALTIME/./}
	preload25-update --config "$tmp/conf" preview --json "$tmp/$log" >"$tmp/said" || { cat "$tmp/said"; exit 1; }
	took=$((${EPOCHREALTIME/./} - begin))
	[ "$(jq .deliveries "$tmp/said")" -eq "$deliveries" ] || { echo "mail_log: $log: $(cat "$tmp/said")"; exit 1; }
	echo "mail_log: $log: $count lines in $((took / 1000)) ms, $((size / took)) MB/s"
done
