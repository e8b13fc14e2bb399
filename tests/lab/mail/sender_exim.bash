# shellcheck shell=bash disable=SC2034
# sender_exim.bash: Debian's Exim with its split configuration, as an internet site. See senders.bash.

exim_packages=(exim4-daemon-heavy exim4-config)
exim_map=/etc/preload25/exim.cdb

# A server that has failed is tried again after a second, not a quarter of an hour.
exim_make() {
	LAB_LOG=/var/log/exim4/mainlog
	sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/
		s/^dc_use_split_config=.*/dc_use_split_config='true'/
		s/^dc_local_interfaces=.*/dc_local_interfaces='127.0.0.1'/
		s/^dc_other_hostnames=.*/dc_other_hostnames='mail.sender.test'/" /etc/exim4/update-exim4.conf.conf &&
		sed -i 's/F,2h,15m/F,2h,1s/' /etc/exim4/conf.d/retry/30_exim4-config && update-exim4.conf && install -o Debian-exim -g adm -m 640 /dev/null "$LAB_LOG"
}

# DANE is Exim's only when glibc hands the AD bit on, as preload25-update tells.
exim_set_up() {
	echo 'options trust-ad' >>/etc/resolv.conf
	updater && updater setup exim --apply && exim_stop && exim_start
}

exim_start() {
	local from
	mkdir -p /run/exim4 && chown Debian-exim: /run/exim4 || return
	from=$(log_size)
	exim4 -bd && await line -o "$from" "$LAB_LOG" 'daemon started' >/dev/null ||
		complain "exim did not start: $(tail -n 5 "$LAB_LOG")"
}
exim_stop() {
	local pid
	pid=$(cat /run/exim4/exim.pid) && stop_pid "$pid"
}
exim_queue_run() { exim4 -qff; }
exim_version() { exim4 -bV | sed -n 's/^Exim version \([^ ]*\) .*/\1/p'; }

exim_send() { submit "$1" " <= .* id=$1@lab.invalid" "${@:2}"; }

exim_fate() {
	local queue_id to=${2##*@}
	queue_id=$(sed -n "s/^[^ ]* [^ ]* \([^ ]*\) <= .* id=$1@lab.invalid.*/\1/p" "$LAB_LOG" | head -n 1)
	attempt "$1" "$queue_id" \
		"$queue_id ((=>|->|==|\*\*) [^ ]*@$(in_log "${to,,}" '[^ ]*')[ :]|failed to open )" || return 1
	case $why in
	# Where a file is missing the whole message is put off, and no recipient is named.
	*" $queue_id == "* | *" $queue_id failed to open "*) outcome=Q ;;
	*" $queue_id ** "*) outcome=B ;;
	*) outcome=D ;;
	esac
}

exim_queue() {
	local queue_id
	for queue_id in $(exim4 -bpr | awk '/^ *[0-9]/ { print $3 }'); do
		sed -n "s/^[^ ]* [^ ]* $queue_id <= .* id=\(.*\)@lab.invalid.*/\1/p" "$LAB_LOG"
	done
}
