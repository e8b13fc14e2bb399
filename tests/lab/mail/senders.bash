# shellcheck shell=bash
# senders.bash: real mail servers that send, one file sender_NAME.bash for each; sourced inside a world
# made by `installed`, behind lib.sh. Read one with sender_load.
#
# A file defines, for the mail server NAME (postfix, exim, opensmtpd, sendmail; NAME_VARIANT for another
# version of it, or another way to set it up):
#
#   NAME_packages=(...)         what Debian installs for it. Alone this is read outside, too: the file
#                               must do nothing but define
#   NAME_debian                 variable: the release of Debian that has them, where it is not this machine's.
#                               Read outside, too
#   NAME_like                   variable, of a variant: the sender whose functions it has where its file
#                               defines none
#   NAME_map                    variable: the file of the list, where preload25-update puts it. For those
#                               of whom the story "missing" is told
#   NAME_changing               variable: where it puts a message off when the list is replaced in the moment
#                               in which it opens it, a REGEX of the log line that says so
#   NAME_make                   an administrator's configuration without a list: that of the
#                               distribution, direct delivery, the log in $LAB_LOG. That of
#                               preload25-update is there already (updater_make)
#   NAME_set_up                 what an administrator does to use the list: runs `updater`, then
#                               `updater setup NAME --apply`, and whatever that told him to run.
#                               NAME runs before and after
#   NAME_start, NAME_stop       each returns when it serves, or is gone; at most after $LAB_WAIT_S
#   NAME_queue_run              tries everything in the queue now; may return before it is tried
#   NAME_send ID RECIPIENT...   submits the message ID to all recipients, from $LAB_SENDER (submit).
#                               Returns 1 when it was refused at submission: the fate of such a message
#                               is B. Returns 2 when it was taken, but is not known to be queued: there is
#                               nothing to be said about such a message
#   NAME_fate ID RECIPIENT      waits, at most $LAB_WAIT_S, for the first attempt of delivering it after
#                               byte ${LAB_FROM:-0} of the log (attempt), and sets
#                                   outcome   D delivered to the next server, Q it stays in the queue,
#                                             B bounced or refused; ? nothing of that came in time
#                                   why       the log line that says so
#                               Of a mail server whose log does not always tell it waits $LAB_PATIENCE_S
#                               for that, if set, before it asks the queue (Q: it was tried, or is being tried)
#   NAME_version                prints it, in a word
#   NAME_queue                  prints the ids (ID) of the messages that are still queued, one a line
#
# Everything returns 1 with a message on standard error when it fails. Messages are told from each other
# by ID: it is in Message-ID and X-Lab-Id (mail_text). What arrived tells labd (received).

# shellcheck disable=SC2034 # for those who source this
LAB_SENDER=alice@mail.sender.test
LAB_LOG=/var/log/mail.log
LAB_UPDATER=$LAB_M/updater

# mail_text ID RECIPIENT...: a message, as a mail program hands it over; with one more line of its header if
# LAB_HEADER has one.
mail_text() {
	local id=$1
	shift
	printf 'From: <%s>\nTo: undisclosed-recipients:;\nSubject: test %s\nMessage-ID: <%s@lab.invalid>\n' \
		"$LAB_SENDER" "$id" "$id"
	printf '%sX-Lab-Id: %s\n\nthe secret of %s stays between us\n' "${LAB_HEADER:+$LAB_HEADER$'\n'}" "$id" \
		"$id"
}

# log_start [SOCKET]...: syslog of the world goes to $LAB_LOG, also what programs in a chroot say at
# further sockets.
log_start() {
	: >>"$LAB_LOG" && chmod 644 "$LAB_LOG"
	local socket
	"$LAB_BIN/syslogd" "$LAB_LOG" /dev/log "$@" 2>"$LAB_M/syslogd.err" &
	for socket in /dev/log "$@"; do
		await exists "$socket" || complain "syslogd did not start: $(cat "$LAB_M/syslogd.err")" || return
	done
}

# log_size: where LAB_FROM may stand, for what happens from now on.
log_size() { size_of "$LAB_LOG"; }

# sender_load NAME: what its file defines, and what it is like in.
sender_load() {
	local like=${1}_like what like_its
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/sender_$1.bash"
	like=${!like-}
	[ -n "$like" ] || return 0
	sender_load "$like"
	for what in map changing; do
		like_its=${like}_$what
		[ -z "${!like_its-}" ] || declare -g "$1_$what=${!like_its}"
	done
	for what in make set_up start stop queue_run send fate version queue; do
		declare -F "$1_$what" >/dev/null || eval "$1_$what() { ${like}_$what \"\$@\"; }"
	done
}

# stop_pid PID: ends it, and returns when it is gone.
stop_pid() {
	kill "$1" && timeout "$LAB_WAIT_S" tail --pid="$1" -f /dev/null || complain "process $1 does not end"
}

# submit ID REGEX RECIPIENT...: hands the message in. REGEX is what the log says of it as soon as it is
# queued; the line is left in queued. Returns as NAME_send does.
submit() {
	local id=$1 regex=$2 from rc=0
	shift 2
	from=$(log_size)
	mail_text "$id" "$@" | /usr/sbin/sendmail -i -f "$LAB_SENDER" -- "$@" >&2 || rc=$?
	case $rc in
	0) ;;
	6[4-9] | 70) return 1 ;; # sysexits.h: something is wrong with the message
	*) complain "message $id: sendmail exits with $rc" || return 2 ;;
	esac
	queued=$(await line -o "$from" "$LAB_LOG" "$regex") || complain "message $id was not queued" || return 2
}

# attempt ID QUEUE-ID REGEX: how NAME_fate begins. REGEX is what the log says of every attempt of delivering
# the message; the line is left in why. QUEUE-ID is empty when the log does not know the message.
attempt() {
	outcome='?' why=''
	[ -n "$2" ] || complain "message $1 was not queued" || return 1
	why=$(await line -o "${LAB_FROM:-0}" "$LAB_LOG" "$3") || complain "message $1: nobody tried to deliver it"
}

# in_log ADDRESS REGEX: the address as a part of such a REGEX. Beyond ASCII it is not in the log what it was,
# and REGEX, whatever it may be there, stands for it: such a message has one recipient.
in_log() {
	if [[ $1 == *[!\ -~]* ]]; then echo "$2"; else echo "$1"; fi
}

# updater ARGUMENT...: preload25-update, configured where the world's is, for at most $LAB_WAIT_S; what it said
# is left in $LAB_UPDATER/out, and shown when it fails.
updater() {
	local rc=0
	timeout "$LAB_WAIT_S" "$B/preload25-update" "$@" >"$LAB_UPDATER/out" 2>&1 || rc=$?
	[ "$rc" -eq 0 ] || sed "s/^/#   preload25-update $* (exit $rc): /" "$LAB_UPDATER/out" >&2
	return "$rc"
}

# updater_make NAME: its configuration for a mail server; the list comes from the repository $LAB_M/site.
updater_make() {
	mkdir -p "$LAB_UPDATER" /etc/preload25
	{
		printf '[source]\nurl = file:%s/site\nroot = %s/root.json\n' "$LAB_M" "$LAB_M"
		printf '[state]\ndir = %s/state\n[install]\nmta = %s\n' "$LAB_UPDATER" "$1"
	} >/etc/preload25/preload25-update.conf
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
