# shellcheck shell=bash
# senders.bash: real mail servers that send, one file sender_NAME.bash for each; sourced inside a world
# made by `installed`, behind lib.sh.
#
# A file defines, for the mail server NAME (postfix, exim, opensmtpd, sendmail, ...):
#
#   NAME_packages=(...)         what Debian installs for it. Alone this is read outside, too: the file
#                               must do nothing but define
#   NAME_map                    variable: the file of the list, where preload25-update puts it
#   NAME_make                   an administrator's configuration without a list: that of the
#                               distribution, direct delivery, the log in $LAB_LOG
#   NAME_set_up                 what an administrator does to use the list: runs `updater`, then
#                               `updater setup NAME --apply`, and whatever that told him to run.
#                               NAME runs before and after
#   NAME_start, NAME_stop       each returns when it serves, or is gone
#   NAME_queue_run              tries everything in the queue now; may return before it is tried
#   NAME_send ID RECIPIENT...   submits the message ID to all recipients, from $LAB_SENDER; prints its
#                               queue id, or ID where there is none to be had. Returns 1 when it was
#                               refused at submission: the fate of such a message is B
#   NAME_fate ID RECIPIENT      waits, at most $LAB_WAIT_S, for the first attempt of delivering it after
#                               byte ${LAB_FROM:-0} of the log, and sets
#                                   outcome   D delivered to the next server, Q it stays in the queue,
#                                             B bounced or refused; ? nothing of that came in time
#                                   why       the log line that says so
#   NAME_version                prints it, in a word
#   NAME_queue                  prints the ids (ID) of the messages that are still queued, one a line
#
# Everything returns 1 with a message on standard error when it fails. Messages are told from each other
# by ID: it is in Message-ID and X-Lab-Id (mail_text). What arrived tells labd (received).

# shellcheck disable=SC2034 # for those who source this
LAB_SENDER=alice@mail.sender.test
LAB_LOG=/var/log/mail.log
LAB_UPDATER=$LAB_M/updater

# mail_text ID RECIPIENT...: a message, as a mail program hands it over.
mail_text() {
	local id=$1
	shift
	printf 'From: <%s>\nTo: undisclosed-recipients:;\nSubject: test %s\nMessage-ID: <%s@lab.invalid>\n' \
		"$LAB_SENDER" "$id" "$id"
	printf 'X-Lab-Id: %s\n\nthe secret of %s stays between us\n' "$id" "$id"
}

# log_start [SOCKET]...: syslog of the world goes to $LAB_LOG, also what programs in a chroot say at
# further sockets.
log_start() {
	: >>"$LAB_LOG" && chmod 644 "$LAB_LOG"
	"$LAB_BIN/syslogd" "$LAB_LOG" /dev/log "$@" 2>"$LAB_M/syslogd.err" &
	await exists /dev/log || complain "syslogd did not start: $(cat "$LAB_M/syslogd.err")"
}

# log_size: where LAB_FROM may stand, for what happens from now on.
log_size() { size_of "$LAB_LOG"; }

# updater ARGUMENT...: preload25-update, configured where the world's is; what it said is left in
# $LAB_UPDATER/out, and shown when it fails.
updater() {
	local rc=0
	"$B/preload25-update" "$@" >"$LAB_UPDATER/out" 2>&1 || rc=$?
	[ "$rc" -eq 0 ] || sed "s/^/#   preload25-update $* (exit $rc): /" "$LAB_UPDATER/out" >&2
	return "$rc"
}

# updater_make NAME [LINE]...: its configuration for a mail server; the list comes from the repository
# $LAB_M/site. LINEs are added.
updater_make() {
	local name=$1
	shift
	mkdir -p "$LAB_UPDATER" /etc/preload25
	{
		printf '[source]\nurl = file:%s/site\nroot = %s/root.json\n' "$LAB_M" "$LAB_M"
		printf '[state]\ndir = %s/state\n[install]\nmta = %s\n' "$LAB_UPDATER" "$name"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >/etc/preload25/preload25-update.conf
}

# receivers_start LABDIR: the lab's name servers, a validating resolver, and all its mail servers at
# port 25. What they receive lies in LABDIR/mail.
receivers_start() {
	system_ca "$1/ca/root.pem" && lab_dns "$1" || return 1
	"$LAB_BIN/labd" "$1" 25 443 0 >"$LAB_M/labd.ports" 2>"$LAB_M/labd.err" &
	await line "$LAB_M/labd.ports" '^25 443 ' >/dev/null ||
		complain "labd did not start: $(cat "$LAB_M/labd.err")"
}

# received LABDIR: one line for each message that arrived: "ID<tab>HOST<tab>TLS<tab>SNI<tab>RECIPIENTS".
received() {
	find "$1/mail" -name '*.eml' -exec awk '
		FNR == 1 { tls = sni = to = ""; n = split(FILENAME, part, "/"); host = part[n - 1] }
		/^X-Lab-Tls: / { tls = $2 }
		/^X-Lab-Sni: / { sni = $2 }
		/^X-Lab-To: / { to = substr($0, 11) }
		/^X-Lab-Id: / { print $2 "\t" host "\t" tls "\t" sni "\t" to; nextfile }' {} +
}
