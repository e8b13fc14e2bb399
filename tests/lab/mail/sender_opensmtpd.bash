# shellcheck shell=bash disable=SC2034
# sender_opensmtpd.bash: Debian's OpenSMTPD. See senders.bash.

opensmtpd_packages=(opensmtpd)
opensmtpd_map=/etc/preload25/domains.db

# Debian's configuration is one that sends; smtpd tells about TLS without being asked.
opensmtpd_make() { log_start; }

opensmtpd_start() {
	local from
	from=$(log_size)
	smtpd -F &
	opensmtpd_pid=$!
	await exists /run/smtpd.sock >/dev/null &&
		await line -o "$from" "$LAB_LOG" 'smtpd.*: info: OpenSMTPD .* starting' >/dev/null &&
		opensmtpd_answers ||
		complain "smtpd did not start: $(tail -n 5 "$LAB_LOG")"
}
# The socket is there before anybody listens.
opensmtpd_answers() {
	local end=$((SECONDS + LAB_WAIT_S))
	until smtpctl show status >/dev/null 2>"$LAB_M/smtpctl.err"; do
		[ $SECONDS -lt $end ] || { cat "$LAB_M/smtpctl.err" >&2; return 1; }
	done
}
opensmtpd_stop() {
	stop_pid "$opensmtpd_pid" && wait "$opensmtpd_pid" && rm -f /run/smtpd.sock
}

opensmtpd_set_up() {
	updater && updater setup opensmtpd --apply && opensmtpd_stop && opensmtpd_start
}

# Where TLS has failed nothing is tried for a while, not even when asked to, but for routes that are resumed.
opensmtpd_queue_run() {
	local route
	for route in $(smtpctl show routes | sed -n 's/^ *\([0-9]*\)\. .*/\1/p'); do
		smtpctl resume route "$route" >/dev/null || return
	done
	smtpctl schedule all >/dev/null
}
opensmtpd_version() { dpkg-query -W -f '${Version}' opensmtpd | sed 's/-.*//'; }

# The log names neither Message-ID nor anything else of the message, but who it is for.
opensmtpd_send() {
	submit "$1" "smtpd.* smtp envelope evpid=[0-9a-f]{16} from=<$LAB_SENDER> " "${@:2}" || return
	queued=${queued#* evpid=}
	echo "$1 ${queued:0:8}" >>"$LAB_M/opensmtpd.ids"
}

opensmtpd_fate() {
	local message result end=$((SECONDS + LAB_WAIT_S)) patience=${LAB_PATIENCE_S:-30}
	message=$(awk -v id="$1" '$1 == id { print $2 }' "$LAB_M/opensmtpd.ids")
	result="smtpd.* mta delivery evpid=${message}[0-9a-f]{8} .* to=<$2> .*result="
	# As long as another domain's mail passes on the same server, it goes on trying every five seconds
	# without saying what that means for the message; nor does it say so of one that it holds back since
	# many others wait for the same server, and then puts off with them. One that was not tried at all is waited for.
	until LAB_WAIT_S=$patience attempt "$1" "$message" "$result" 2>/dev/null; do
		[ -n "$message" ] || complain "message $1: not queued" || return 1
		if why=$(smtpctl show queue | grep -F "|$2|" | grep "^$message"); then
			case $why in *'|inflight|'* | *[,\|]'hold|'* | *'|pending|'[1-9][0-9]*'|'*) break ;; esac
		fi
		# What has left the queue by now is in the log by now.
		[ $SECONDS -lt $end ] || complain "message $1: nobody tries to deliver it: $why" || return 1
		patience=1
	done
	case $why in
	*'result="Ok"'*) outcome=D ;;
	*'result="TempFail"'*) outcome=Q ;;
	*result=*) outcome=B ;;
	*) outcome=Q ;;
	esac
}

opensmtpd_queue() {
	local message
	for message in /var/spool/smtpd/queue/*/*/message; do
		[ ! -e "$message" ] || sed -n '/^$/q; s/^X-Lab-Id: //p' "$message"
	done
}
