#!/bin/bash
# package.sh: the Debian package, installed on a copy of this machine that goes away with the test, used
# as the README says until a real Postfix keeps a mail that would have been read on the way, installed
# again, removed, purged. Then for what nobody has set up, and for what is still in use.
#
# Prints the seconds from apt-get to the first refused downgrade. Needs root and namespaces. What the package
# does under systemd tells units.sh.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"
# shellcheck source=tests/lab/mail/cases.bash
. "$top/tests/lab/mail/cases.bash"

senders=$top/tests/lab/mail
conf=/etc/preload25/preload25-update.conf

# systemd's, or else from its package, unpacked and not installed.
analyze() {
	local lib
	if command -v systemd-analyze >/dev/null; then
		systemd-analyze "$@"
	else
		lib=$(echo "$LAB_PACKAGES"/usr/lib/*-linux-gnu)
		LD_LIBRARY_PATH=$lib:$lib/systemd "$LAB_PACKAGES/usr/bin/systemd-analyze" "$@"
	fi
}

# --- inside: a machine with Debian's Postfix ------------------------------------------------------------

apt() { # apt WORD...: without a network, and without a dialogue
	env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o APT::Sandbox::User=root \
		-o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0 "$@" >"$tmp/apt" 2>&1 </dev/null ||
		{ cat "$tmp/apt"; return 1; }
}
# files: all that a package could leave behind; what dpkg, apt and Postfix remember of themselves apart.
files() {
	find /etc /usr /var /lib /opt -xdev \( -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
		-o -path /var/spool/postfix -o -path /var/lib/apt -o -path /var/lib/postfix -o -path /var/tmp \) \
		-prune -o -print | LC_ALL=C sort
}
# fate ID RECIPIENT WANT: what becomes of a message sent now.
fate() {
	LAB_FROM=$(log_size)
	postfix_send "$1" "$2" >/dev/null && postfix_fate "$1" "$2" && [ "$outcome" = "$3" ] || {
		echo "outcome ${outcome-}, want $3: ${why-}"
		return 1
	}
}
clear_text() { # clear_text ID: the message went over a connection without TLS
	received "$LAB_M/lab" | awk -F'\t' -v id="$1" '$1 == id && $3 == "no" { found = 1 } END { exit !found }'
}
# exits CODE COMMAND...: with that code; what it said is left in $tmp/out.
exits() {
	local want=$1 rc=0
	shift
	"$@" >"$tmp/out" 2>&1 || rc=$?
	[ "$rc" -eq "$want" ] || { echo "exit $rc, want $want:"; cat "$tmp/out"; return 1; }
}
is_quiet() { # is_quiet CODE COMMAND...: exits so, without a word
	exits "$@" && { [ ! -s "$tmp/out" ] || { cat "$tmp/out"; return 1; }; }
}
cron_job() { # the command of /etc/cron.d, without its delay
	sed -n 's/^[0-9]* [^ ]* \* \* \* root \(.*\)sleep "[^"]*" && /\1/p' /etc/cron.d/preload25-updater >"$tmp/job"
	[ "$(wc -l <"$tmp/job")" -eq 1 ] || { echo 'not one line with a job and its delay'; return 2; }
	sh "$tmp/job"
}

run_inside() {
	only_in_the_copy
	LAB_PACKAGES=/run/lab/root
	local before after started
	PATH=$LAB_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	# shellcheck source=tests/lab/mail/lib.sh
	. "$senders/lib.sh"
	# shellcheck source=tests/lab/mail/senders.bash
	. "$senders/senders.bash"
	# shellcheck source=tests/lab/mail/sender_postfix.bash
	. "$senders/sender_postfix.bash"
	cp "$LAB_M/preload25-updater.deb" /root/
	rm -rf /usr/sbin/policy-rc.d /var/lib/preload25 /etc/preload25
	if ! { receivers_start "$LAB_M/lab" && postfix_make && postfix_start; } 2>"$tmp/seen"; then
		not_ok 'a machine with Postfix, and receivers' "$tmp/seen"
		finish
	fi
	"$LAB_BIN/httpd" --with-parent --root "$LAB_M/site" --bind 127.0.0.1 --port 80 \
		--port-file "$LAB_M/port" --log "$LAB_M/requests" &
	check 'a web server with the repository' await exists "$LAB_M/port"
	check 'without the list, STARTTLS stripped: the mail is delivered' fate before "$victim" D
	check '... in clear' clear_text before
	postconf -n | LC_ALL=C sort >"$tmp/postconf.before"
	before=$(files)

	# As the README says, word by word.
	started=$(date +%s%N)
	check 'apt-get installs the package' apt install /root/preload25-updater.deb
	installed=$(date +%s%N)
	check 'installing changes nothing of Postfix' same_postconf
	check 'until somebody sets it up cron has nothing to say' is_quiet 1 cron_job
	expect 'monitoring says that nothing is set up' 3 '' preload25-update status --nagios
	configured=$(date +%s%N)
	cp "$LAB_M/root.json" /root/root.json
	check 'set-up is one command' preload25-update setup postfix --apply \
		--source http://127.0.0.1/ --root /root/root.json
	cp "$tmp/check.out" "$tmp/said"
	check 'postfix reload' postfix reload
	check 'STARTTLS stripped: the mail stays in the queue' fate kept "$victim" Q
	kept=$(date +%s%N)
	check '... because TLS is required' grep -q 'TLS is required, but was not offered' <<<"$why"
	echo "seconds from apt-get to the first refused downgrade: $(ms $((kept - configured + installed - started))), of them apt-get $(ms $((installed - started)))"
	check 'it says how to undo it' grep -q -- '--revert' "$tmp/said"
	check 'the configuration is readable, and names a copy of the root file' \
		grep -qx 'root = /etc/preload25/root.json' $conf
	expect 'a second time it succeeds' 0 '' preload25-update setup postfix --apply \
		--source http://127.0.0.1/ --root /root/root.json
	check '... and has nothing to do' grep -q 'main.cf has all it needs' "$tmp/out"
	expect 'another source is not taken silently' 2 'names another source' preload25-update setup postfix \
		--apply --source http://127.0.0.1/other --root /root/root.json
	check 'mail to others goes as before' fate others "bob@${case_domain[$other]}" D
	expect 'monitoring is content' 0 '' preload25-update status --nagios
	check 'the job of cron is quiet when all is well' is_quiet 0 cron_job
	check 'an ordinary user may ask for the status' setpriv --reuid=65534 --regid=65534 --clear-groups \
		preload25-update status
	syslog_lines
	man_and_units

	echo '# mine' >>/etc/cron.d/preload25-updater
	check 'it is installed once more, over itself' apt install --reinstall /root/preload25-updater.deb
	check '... and keeps what the administrator has changed' grep -qx '# mine' /etc/cron.d/preload25-updater
	check '... and the map' preload25-update status
	check '... and Postfix asks it' fate kept2 "$victim" Q

	# Where it cannot be told which mail server was set up, nothing is taken away: that is said.
	cp $conf /root/kept.conf
	printf '[nonsense]\nkey = 1\n' >>$conf
	check 'the package is removed beside a broken configuration' apt remove preload25-updater
	check '... and says that the list stays in force' \
		grep -q "^preload25-updater: the mail server's configuration still names the list" "$tmp/apt"
	check '... and why' grep -q "$conf:.*nonsense" "$tmp/apt"
	check '... which it does' fate kept3 "$victim" Q
	cp /root/kept.conf $conf
	check 'it is installed again' apt install /root/preload25-updater.deb

	check 'the package is removed' apt remove preload25-updater
	check '... and says what it has taken away' grep -q 'main.cf no longer asks the list\|smtp_tls_policy_maps' "$tmp/apt"
	check '... in full' grep -qx 'main.cf no longer asks the list' "$tmp/apt"
	check '... main.cf is as it was' same_postconf
	check '... while the map stays' test -s /etc/postfix/preload.cdb
	check '... and no mail waits for a list that nobody keeps' fate after "$victim" D
	# What OpenSMTPD's pinned domains would have left.
	touch /etc/preload25/domains.db /etc/preload25/domains-pinned.db /etc/preload25/domains-hosts
	check 'it is purged' apt purge preload25-updater
	after=$(files)
	diff <(echo "$before") <(echo "$after") | grep '^[<>]' |
		grep -v '^> /etc/postfix/main\.cf\.preload25-' >"$tmp/left"
	check '... and leaves nothing but backups of main.cf' diff /dev/null "$tmp/left"

	# A mail server that names the map goes on with it, whatever happens to the package.
	check 'installed again' apt install /root/preload25-updater.deb
	check '... and set up' preload25-update setup postfix --apply --source http://127.0.0.1/ --root /root/root.json
	postconf -e "smtp_tls_policy_maps = cdb:/etc/postfix/preload cdb:/etc/postfix/preload"
	check '... by the administrator himself, too' postfix reload
	# Nor do other instances of Postfix, and what stands elsewhere.
	mkdir -p /etc/postfix-out /srv/exim/conf.d/router
	echo 'smtp_tls_policy_maps = lmdb:/etc/postfix/preload' >/etc/postfix-out/main.cf
	echo 'table hosts file:/etc/preload25/domains-hosts' >/srv/smtpd.conf
	echo 'domains = cdb;/etc/preload25/exim.cdb' >/srv/exim/conf.d/router/10_ours
	printf '[opensmtpd]\nconfig = /srv/smtpd.conf\n[exim]\nconfig_dir=/srv/exim ; ours\n' >>$conf
	touch /etc/postfix/preload.lmdb /etc/preload25/exim.cdb /etc/preload25/domains-pinned.db \
		/etc/preload25/domains-hosts
	# What it was made by is not there to take it away.
	printf '#!/bin/sh\nexit 3\n' >/usr/sbin/preload25-update
	check 'purged where it cannot be taken away' apt purge preload25-updater
	check '... it says so' grep -q 'stays' "$tmp/apt"
	check '... and the map stays' test -s /etc/postfix/preload.cdb
	check '... as one does that another instance of Postfix names' test -e /etc/postfix/preload.lmdb
	check '... and what the configuration has led to' \
		test -e /etc/preload25/exim.cdb -a -e /etc/preload25/domains-hosts
	check '... and no other' test ! -e /etc/preload25/domains-pinned.db
	check '... and answers' fate still "$victim" Q
	check 'postfix stops' postfix_stop
	finish
}
ms() { awk -v n="$1" 'BEGIN { printf "%.1f", n / 1e9 }'; }
same_postconf() {
	postconf -n | LC_ALL=C sort >"$tmp/postconf.now"
	diff "$tmp/postconf.before" "$tmp/postconf.now"
}
syslog_lines() {
	local from
	from=$(log_size)
	mv /etc/preload25/root.json /etc/preload25/root.away
	expect 'with --syslog a failure is no word on standard error' 2 '' preload25-update --syslog
	check '... but one in the log' await line -o "$from" "$LAB_LOG" 'preload25-update\[.*root.json'
	mv /etc/preload25/root.away /etc/preload25/root.json
	check '... and the next run is well' preload25-update
}
man_and_units() {
	check 'the program has its page' sh -c \
		'zcat /usr/share/man/man8/preload25-update.8.gz | grep -q PRELOAD25-UPDATE'
	analyze verify --man=no /lib/systemd/system/preload25-update.service /lib/systemd/system/preload25-fetch.service \
		/lib/systemd/system/preload25-update.timer >"$tmp/verify" 2>&1
	check 'systemd-analyze verifies the units' diff /dev/null "$tmp/verify"
}

cases_load "$senders/matrix.txt"
# One whose STARTTLS is stripped, and one that is not listed.
listed=b-none other=f-unlisted
victim=bob@${case_domain[$listed]}
case ${1:-} in
--inside) run_inside ;;
esac

# --- outside: the package, and the copy of this machine -------------------------------------------------

check 'make deb' make -s -C "$top" "B=$B" deb
deb=$(tail -n 1 "$tmp/check.out")
case $deb in /*) ;; *) deb=$top/$deb ;; esac
[ -s "$deb" ] || finish
first=$(sha256sum <"$deb")
check 'make deb, again' make -s -C "$top" "B=$B" deb
check '... gives the same bytes' test "$first" = "$(sha256sum <"$deb")"
dpkg-deb -f "$deb" Depends >"$tmp/depends"
check 'it needs no database, git or DNS library' \
	sh -c '! grep -qE "sqlite|git|unbound|ldns|libevent" "$1"' sh "$tmp/depends"
check 'make install' make -s -C "$top" "B=$B" "DESTDIR=$tmp/dest" prefix=/opt/p25 install
p25=$tmp/dest/opt/p25/share/preload25
check '... brings two services of the program there' sh -c \
	'grep -qx "ExecStart=/opt/p25/sbin/preload25-update --fetch-only" "$1/preload25-fetch.service" &&
	grep -qx "ExecStart=/opt/p25/sbin/preload25-update --offline" "$1/preload25-update.service"' sh "$p25"
check '... with their user and timer, and a line for cron' \
	ls "$p25/preload25.sysusers" "$p25/preload25-update.timer" "$p25/preload25-updater"
if command -v lintian >/dev/null; then
	check 'lintian has nothing to say' lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$deb"
else
	skip 'lintian is not here'
fi
LAB_PACKAGES=${LAB_PACKAGES:-$top/build/lab-root}
"$top/scripts/lab-packages" "$LAB_PACKAGES" unbound nsd systemd >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
if [ "$(id -u)" -ne 0 ]; then
	skip 'package: installing needs root'
	finish
fi
# shellcheck disable=SC2034 # for tuf.bash
start=$(moment '-1 hour') list_expires=$(moment '+14 days') expires=$(moment '+300 days')
# shellcheck disable=SC2034 # for tuf.bash
timestamp_expires=$(moment '+2 days')
world=$tmp/world
mkdir -p "$world"
cases_plan >"$world/plan"
make_world() {
	lab make "$world/lab" --kinds sts-enforce-own --domains 2 && lab extend "$world/lab" "$world/plan" &&
		new_authority "$world/authority" && new_site "$world/site" "$world/authority" &&
		cp "$world/authority/root.json" "$world/root.json" || return
	keys=$world/authority/keys
	mapfile -t entries < <(cases_entries)
	lines "${entries[@]}" | whole 1 >"$world/list" && publish "$world/site" 1 "$world/list"
}
check 'a lab and a list for it' make_world
cp "$deb" "$world/preload25-updater.deb"
rc=0
B=$B "$senders/installed" "$world" "$LAB_PACKAGES" postfix postfix-cdb adduser ca-certificates cron systemd-sysv -- \
	/run/lab/top/tests/integration/package.sh --inside || rc=$?
if [ "$rc" -eq 77 ]; then
	skip 'package: the kernel refuses namespaces'
	exit 77
fi
[ "$rc" -eq 0 ] || failures=$((failures + 1))

finish
