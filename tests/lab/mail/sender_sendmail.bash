# shellcheck shell=bash disable=SC2034
# sender_sendmail.bash: Debian's Sendmail, both of it: what takes mail from local programs and hands it
# to what delivers. See senders.bash.

sendmail_packages=(sendmail-bin sendmail-cf m4)

sendmail_make() {
	# Debian's configuration is one that sends, and logs how TLS was verified.
	log_start
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
sendmail_stop() {
	kill "$sendmail_pid" && wait "$sendmail_pid"
}

sendmail_set_up() {
	updater && updater setup sendmail --apply && sendmail_stop && sendmail_start
}

sendmail_queue_run() { /usr/sbin/sendmail -Am -L sm-mta -O QueueLA=1000 -qf; }
sendmail_version() { dpkg-query -W -f '${Version}' sendmail-bin | sed 's/-.*//'; }

sendmail_send() {
	local id=$1 line
	shift
	mail_text "$id" "$@" | /usr/sbin/sendmail -i -f "$LAB_SENDER" -- "$@" || return 1
	line=$(await line "$LAB_LOG" "sm-mta.* from=.*msgid=<$id@lab.invalid>") ||
		complain "message $id was not queued" || return 1
	line=${line%%: from=*}
	echo "${line##* }"
}

sendmail_fate() {
	local id=$1 to=$2 queue_id
	outcome='?' why=''
	queue_id=$(sed -n "s/.*sm-mta.*: \([0-9A-Za-z]*\): from=.*msgid=<$id@lab.invalid>.*/\1/p" "$LAB_LOG" |
		head -n 1)
	[ -n "$queue_id" ] || complain "message $id was not queued" || return 1
	# In the log an address beyond ASCII is not what it was; such a message has one recipient.
	[[ $to != *[!\ -~]* ]] || to='bob@[^>]*'
	# Recipients that share a fate share a line.
	why=$(await line -o "${LAB_FROM:-0}" "$LAB_LOG" \
		"sm-mta.* $queue_id: to=[^ ]*<?$to>?,.* dsn=[245]\..* stat=") ||
		complain "message $id: nobody tried to deliver it" || return 1
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
