#!/bin/bash
# mail_log.sh [DELIVERIES]: how fast preview reads a mail log, as it stands and compressed by gzip, and one with
# times as older syslog daemons write them; four lines are one delivery.
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

awk -v n="$deliveries" 'BEGIN { for (i = 0; i < n; i++) {
	t = sprintf("2026-11-26T%02d:%02d:%02d.123456+00:00 mail ", i / 3600 % 24, i / 60 % 60, i % 60)
	d = i % 20000; p = i % 199
	printf "%spostfix/smtpd[99]: connect from host%d.example.net[192.0.2.7]\n", t, i
	printf "%spostfix/smtp[%d]: Trusted TLS connection established to mx.d%d.example[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n", t, p, d
	printf "%spostfix/smtp[%d]: 4AB%08X: to=<user@d%d.example>, relay=mx.d%d.example[192.0.2.1]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XYZ)\n", t, p, i, d, d
	printf "%spostfix/qmgr[77]: 4AB%08X: removed\n", t, i
} }' >"$tmp/mail.log"
gzip -k "$tmp/mail.log"
sed -E 's/^2026-11-26T([0-9:]{8})\.[0-9]{6}\+00:00/Nov 26 \1/' "$tmp/mail.log" >"$tmp/mail.rfc3164"
for log in mail.log mail.log.gz mail.rfc3164; do
	size=$(stat -c %s "$tmp/${log%.gz}")
	begin=${EPOCHREALTIME/./}
	preload25-update --config "$tmp/conf" preview "$tmp/$log" >"$tmp/said" || { cat "$tmp/said"; exit 1; }
	took=$((${EPOCHREALTIME/./} - begin))
	echo "mail_log: $log: $((4 * deliveries)) lines in $((took / 1000)) ms, $((size / took)) MB/s"
done
