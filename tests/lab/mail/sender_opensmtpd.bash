# shellcheck shell=bash disable=SC2034
# sender_opensmtpd.bash: Debian's OpenSMTPD. See senders.bash.

opensmtpd_packages=(opensmtpd)

opensmtpd_make() {
	# Debian's configuration is one that sends; smtpd tells about TLS without being asked. The folder
	# comes with the package of preload25-update.
	mkdir -p /etc/preload25 && log_start
}

opensmtpd_start() {
	local from
	from=$(log_size)
	smtpd -F &
	opensmtpd_pid=$!
	await exists /run/smtpd.sock >/dev/null &&
		await line -o "$from" "$LAB_LOG" 'smtpd.*: info: OpenSMTPD .* starting' >/dev/null &&
		smtpctl show status >/dev/null ||
		complain "smtpd did not start: $(tail -n 5 "$LAB_LOG")"
}
opensmtpd_stop() {
	kill "$opensmtpd_pid" && wait "$opensmtpd_pid"
	rm -f /run/smtpd.sock
}

opensmtpd_set_up() {
	updater && updater setup opensmtpd --apply && opensmtpd_stop && opensmtpd_start
}

opensmtpd_queue_run() {
	smtpctl schedule all
}
opensmtpd_version() { dpkg-query -W -f '${Version}' opensmtpd | sed 's/-.*//'; }

# The log names neither Message-ID nor anything else of the message, but who it is for.
opensmtpd_send() {
	local id=$1 from line
	shift
	from=$(log_size)
	mail_text "$id" "$@" | /usr/sbin/sendmail -i -f "$LAB_SENDER" -- "$@" || return 1
	line=$(await line -o "$from" "$LAB_LOG" "smtpd.* smtp envelope evpid=[0-9a-f]{16} from=<$LAB_SENDER> ") ||
		complain "message $id was not queued" || return 1
	line=${line#* evpid=}
	echo "$id ${line:0:8}" >>"$LAB_M/opensmtpd.ids"
	echo "${line:0:8}"
}

opensmtpd_fate() {
	local id=$1 to=$2 message
	outcome='?' why=''
	message=$(awk -v id="$id" '$1 == id { print $2 }' "$LAB_M/opensmtpd.ids")
	[ -n "$message" ] || complain "message $id was not queued" || return 1
	# As long as another domain's mail passes on the same server, it goes on trying every five seconds
	# without saying what that means for the message.
	why=$(LAB_WAIT_S=30 await line -o "${LAB_FROM:-0}" "$LAB_LOG" \
		"smtpd.* mta delivery evpid=${message}[0-9a-f]{8} .* to=<$to> .*result=") ||
		why=$(smtpctl show queue | grep -F "|$to|" | grep "^$message.*|inflight|") ||
		complain "message $id: nobody tried to deliver it" || return 1
	case $why in
	*'result="Ok"'*) outcome=D ;;
	*'result="TempFail"'* | *'|inflight|'*) outcome=Q ;;
	*) outcome=B ;;
	esac
}

opensmtpd_queue() {
	local message
	for message in /var/spool/smtpd/queue/*/*/message; do
		[ ! -e "$message" ] || sed -n '/^$/q; s/^X-Lab-Id: //p' "$message"
	done
}
