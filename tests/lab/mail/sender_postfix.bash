# shellcheck shell=bash disable=SC2034
# sender_postfix.bash: Debian's Postfix, in its chroot. See senders.bash.

postfix_packages=(postfix postfix-cdb)
postfix_map=/etc/postfix/preload.cdb

postfix_make() {
	# Debian's is "internet site"; TLS as it is offered, as Debian has it. Whoever wants to know
	# about TLS makes Postfix tell. Each message is tried, whatever happened to the one before.
	postconf -e smtp_tls_loglevel=1 inet_interfaces=loopback-only \
		default_destination_concurrency_failed_cohort_limit=1000 &&
		log_start /var/spool/postfix/dev/log
}

postfix_set_up() {
	updater && updater setup postfix --apply && postfix reload 2>/dev/null
}

postfix_start() {
	local from
	from=$(log_size)
	postfix start 2>/dev/null &&
		await line -o "$from" "$LAB_LOG" 'postfix/master.*: daemon started' >/dev/null ||
		complain "postfix did not start: $(tail -n 5 "$LAB_LOG")"
}
postfix_stop() { postfix stop 2>/dev/null; }
postfix_queue_run() { postqueue -f; }
postfix_version() { postconf -h mail_version; }

postfix_send() {
	local id=$1 line
	shift
	mail_text "$id" "$@" | /usr/sbin/sendmail -i -f "$LAB_SENDER" -- "$@" || return 1
	line=$(await line "$LAB_LOG" "postfix/cleanup.*: message-id=<$id@lab.invalid>") ||
		complain "message $id was not queued" || return 1
	line=${line%%: message-id=*}
	echo "${line##* }"
}

postfix_fate() {
	local id=$1 to=$2 queue_id
	outcome='?' why=''
	queue_id=$(sed -n "s/.*: \([0-9A-F]*\): message-id=<$id@lab.invalid>\$/\1/p" "$LAB_LOG" | head -n 1)
	[ -n "$queue_id" ] || complain "message $id was not queued" || return 1
	# In the log an address beyond ASCII is not what it was; such a message has one recipient.
	[[ $to != *[!\ -~]* ]] || to='[^>]*'
	why=$(await line -o "${LAB_FROM:-0}" "$LAB_LOG" \
		"$queue_id: to=<$to>.*status=(sent|deferred|bounced|expired)") ||
		complain "message $id: nobody tried to deliver it" || return 1
	case $why in
	*status=sent*) outcome=D ;;
	*status=deferred*) outcome=Q ;;
	*) outcome=B ;;
	esac
}

postfix_queue() {
	local queue_id
	for queue_id in $(postqueue -j | jq -r .queue_id); do
		sed -n "s/.*: $queue_id: message-id=<\(.*\)@lab.invalid>\$/\1/p" "$LAB_LOG"
	done
}
