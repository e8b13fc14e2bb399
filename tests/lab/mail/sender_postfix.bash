# shellcheck shell=bash disable=SC2034
# sender_postfix.bash: Debian's Postfix, in its chroot. See senders.bash. Its postfix_make and postfix_start
# take the place of lib.sh's, which are for a Postfix that is not installed.

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
	updater && updater setup postfix --apply && postfix_reloads
}

# postfix_reloads: from now on everything goes by the configuration that there is now.
postfix_reloads() {
	local master from old
	master=$(tr -d ' ' </var/spool/postfix/pid/master.pid) && old=$(postfix_workers "$master") || return
	from=$(log_size)
	postfix reload 2>/dev/null && await line -o "$from" "$LAB_LOG" 'postfix/master.*: reload -- version' >/dev/null &&
		postfix_relieved "$old"
}

postfix_start() {
	local from
	from=$(log_size)
	postfix start >/dev/null 2>&1 &&
		await line -o "$from" "$LAB_LOG" 'postfix/master.*: daemon started' >/dev/null ||
		complain "postfix did not start: $(tail -n 5 "$LAB_LOG")"
}
postfix_stop() { postfix stop 2>/dev/null; }
postfix_queue_run() { postqueue -f; }
postfix_version() { postconf -h mail_version; }

postfix_send() { submit "$1" "postfix/cleanup.*: message-id=<$1@lab.invalid>" "${@:2}"; }

postfix_fate() {
	local queue_id
	queue_id=$(sed -n "s/.*: \([0-9A-F]*\): message-id=<$1@lab.invalid>\$/\1/p" "$LAB_LOG" | head -n 1)
	attempt "$1" "$queue_id" \
		"$queue_id: to=<$(in_log "$2" '[^>]*')>.*status=(sent|deferred|bounced|expired)" || return 1
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
