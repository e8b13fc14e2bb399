# shellcheck shell=bash disable=SC2034
# sender_sendmail.bash: Debian's Sendmail, both of it: what takes mail from local programs and hands it
# to what delivers. See senders.bash.

sendmail_packages=(sendmail-bin sendmail-cf m4)
sendmail_map=/etc/mail/preload25.db
# "db_map_open(...): file changed after open" is what it says before.
sendmail_changing='(STS lookup temp fail|preload list lookup failed)$'

sendmail_make() {
	# Debian's configuration is one that sends, and logs how TLS was verified. However busy the machine is: what
	# local programs hand in is not put aside.
	echo 'O QueueLA=1000' >>/etc/mail/submit.cf && log_start
}

sendmail_start() {
	local from
	from=$(log_size)
	# However busy the machine is: it would neither take mail nor try to deliver it.
	/usr/sbin/sendmail -Am -L sm-mta -O RefuseLA=1000 -O QueueLA=1000 -bD -q10m &
	sendmail_pid=$!
	await line -o "$from" "$LAB_LOG" 'sm-mta.*: starting daemon' >/dev/null ||
		complain "sendmail did not start: $(tail -n 5 "$LAB_LOG")"
}
sendmail_stop() { stop_pid "$sendmail_pid" && wait "$sendmail_pid"; }

sendmail_set_up() {
	updater && updater setup sendmail --apply && sendmail_stop && sendmail_start
}

sendmail_queue_run() { /usr/sbin/sendmail -Am -L sm-mta -O QueueLA=1000 -qf >/dev/null; }
sendmail_version() { dpkg-query -W -f '${Version}' sendmail-bin | sed 's/-.*//'; }

sendmail_send() { submit "$1" "sm-mta.* from=.*msgid=<$1@lab.invalid>" "${@:2}"; }

sendmail_fate() {
	local queue_id
	queue_id=$(sed -n "s/.*sm-mta.*: \([0-9A-Za-z]*\): from=.*msgid=<$1@lab.invalid>.*/\1/p" "$LAB_LOG" |
		head -n 1)
	# Recipients that share a fate share a line.
	attempt "$1" "$queue_id" \
		"sm-mta.* $queue_id: to=[^ ]*<?$(in_log "$2" 'bob@[^>]*')>?,.* dsn=[245]\..* stat=" || return 1
	case $why in
	*' dsn=2.'*) outcome=D ;;
	*' dsn=4.'*) outcome=Q ;;
	*) outcome=B ;;
	esac
}

sendmail_queue() {
	local control
	for control in /var/spool/mqueue/qf*; do
		[ ! -e "$control" ] || sed -n 's/^H.*X-Lab-Id: //p' "$control"
	done
}
