# shellcheck shell=bash
# lib.sh: real Postfix, a validating resolver and name servers, inside a world that tests/lab/mail/ns or
# installed has made.
#
# To be sourced by bash in there. Needs LAB_BIN (the lab's programs); uses /run/lab/mail
# (the test's folder) and /run/lab/root (the unpacked packages). Every function that starts a process
# returns when the process serves, and returns 1 with a message when it does not within its bound.
#
# Callers have no need to stop anything: the processes end with the namespace.

LAB_M=/run/lab/mail
LAB_R=${LAB_R-/run/lab/root}
LAB_WAIT_S=180 # bound of every wait; nothing depends on how long it takes within it

# The libraries that were unpacked beside the programs. Only for those programs.
lab_libs=$(printf '%s:' "$LAB_R/usr/lib/postfix" "$LAB_R"/usr/lib/*-linux-gnu* "$LAB_R"/lib/*-linux-gnu*)
unpacked() { LD_LIBRARY_PATH=$lab_libs "$@"; }

await() { "$LAB_BIN/await" -t "$LAB_WAIT_S" "$@"; }

complain() {
	echo "lab: $*" >&2
	return 1
}

# system_ca FILE: the certificate authorities this world trusts, and no others.
system_ca() {
	mkdir -p /etc/ssl/certs && cp "$1" /etc/ssl/certs/ca-certificates.crt
}

# --- DNS ------------------------------------------------------------------------------------------

# dns_serve NAME ADDRESS ZONES: NSD serving ZONES (lines "zone<tab>file") at ADDRESS port 53.
dns_serve() {
	local name=$1 address=$2 zones=$3 d=$LAB_M/dns/$1 zone file

	mkdir -p "$d"
	{
		cat <<-END
			server:
				ip-address: $address
				port: 53
				username: ""
				chroot: ""
				zonesdir: "/"
				pidfile: ""
				database: ""
				zonelistfile: "$d/zone.list"
				xfrdfile: "$d/xfrd.state"
				logfile: "$d/log"
				server-count: 1
				rrl-ratelimit: 0
				verbosity: 1
			remote-control:
				control-enable: yes
				control-interface: $d/ctl
		END
		while IFS=$'\t' read -r zone file; do
			printf 'zone:\n\tname: "%s"\n\tzonefile: "%s"\n' "$zone" "$file"
		done <"$zones"
	} >"$d/nsd.conf"
	unpacked "$LAB_R/usr/sbin/nsd" -d -c "$d/nsd.conf" >"$d/out" 2>&1 &
	await line "$d/log" 'nsd started' >/dev/null || complain "nsd $name did not start: $(tail -n 3 "$d/out" "$d/log")"
}

# lab_dns LABDIR: the zones of a lab at 127.0.0.53, and a validating resolver at 127.0.0.1.
lab_dns() {
	local zone file

	while IFS=$'\t' read -r zone _; do
		file=${zone%.}
		printf '%s\t%s/served/%s\n' "$zone" "$1" "${file:-root}"
	done <"$1/zones.tsv" >"$LAB_M/zones.tsv"
	dns_serve lab 127.0.0.53 "$LAB_M/zones.tsv" &&
		resolver_start 127.0.0.53 "$1/trust-anchor.key"
}

# resolver_start ADDRESS [TRUST-ANCHOR-FILE]: Unbound at 127.0.0.1:53, validating when it has an
# anchor. It asks the name server at ADDRESS, which has all zones; a forwarder, not an iterator,
# because the lab's zones name one server whose address differs from lab to lab.
resolver_start() {
	local address=$1 anchor=${2-} d=$LAB_M/dns/resolver

	mkdir -p "$d"
	cat >"$d/unbound.conf" <<-END
		server:
			interface: 127.0.0.1
			do-ip6: no
			username: ""
			chroot: ""
			directory: "$d"
			pidfile: ""
			use-syslog: no
			logfile: "$d/log"
			do-not-query-localhost: no
			local-zone: "test." nodefault
			module-config: "${anchor:+validator }iterator"
			${anchor:+trust-anchor-file: "$anchor"}
			trust-anchor-signaling: no
			root-key-sentinel: no
			num-threads: 1
			verbosity: 1
			val-log-level: 2
			# A name server that is slow since the machine is busy is not given up for a while.
			infra-keep-probing: yes
			infra-cache-min-rtt: 2000
		forward-zone:
			name: "."
			forward-addr: $address@53
		remote-control:
			control-enable: yes
			control-interface: $d/ctl
	END
	LD_LIBRARY_PATH=$lab_libs "$LAB_R/usr/sbin/unbound" -d -c "$d/unbound.conf" >"$d/out" 2>&1 &
	# shellcheck disable=SC2034 # for callers
	LAB_RESOLVER_PID=$!
	await line "$d/log" 'start of service' >/dev/null ||
		complain "unbound did not start: $(tail -n 3 "$d/out" "$d/log")"
}

resolver_control() {
	unpacked "$LAB_R/usr/sbin/unbound-control" -q -c "$LAB_M/dns/resolver/unbound.conf" "$@"
}

# dns_spoof ZONE ADDRESS: from now on somebody at ADDRESS answers for the zone. What the resolver
# had learnt is forgotten; what it validates it goes on validating.
dns_spoof() { resolver_control stub_add "$1" "$2" && resolver_control flush_zone "$1"; }
dns_unspoof() { resolver_control stub_remove "$1" && resolver_control flush_zone "$1"; }

# --- the lab's servers ----------------------------------------------------------------------------

# receivers_start LABDIR: the lab's name servers, a validating resolver, and all its servers at ports 25
# and 443. What they receive lies in LABDIR/mail.
receivers_start() {
	system_ca "$1/ca/root.pem" && lab_dns "$1" || return 1
	"$LAB_BIN/labd" "$1" 25 443 0 >"$LAB_M/labd.ports" 2>"$LAB_M/labd.err" &
	await line "$LAB_M/labd.ports" '^25 443 ' >/dev/null ||
		complain "labd did not start: $(cat "$LAB_M/labd.err")"
}

# --- Postfix --------------------------------------------------------------------------------------

# Instances of the unpacked Postfix. Where Debian's is installed, sender_postfix.bash puts a postfix_make
# and a postfix_start of its own in the place of these.

# postfix_make NAME HOSTNAME: folders and a configuration of its own, $LAB_M/NAME/conf/main.cf, to
# be extended by postfix_set. Nothing of the machine's own Postfix is read.
postfix_make() {
	local d=$LAB_M/$1 q=$LAB_M/$1/queue sub

	mkdir -p "$d/conf" "$q/pid"
	for sub in active bounce corrupt defer deferred flush hold incoming private saved trace; do
		install -d -o postfix -m 0700 "$q/$sub"
	done
	install -d -o postfix -g postdrop -m 0730 "$q/maildrop"
	install -d -o postfix -g postdrop -m 0710 "$q/public"
	install -d -o postfix -m 0700 "$d/data"
	cat >"$d/conf/main.cf" <<-END
		compatibility_level = 3.6
		myhostname = $2
		mydestination =
		queue_directory = $q
		data_directory = $d/data
		daemon_directory = $LAB_R/usr/lib/postfix/sbin
		command_directory = $LAB_R/usr/sbin
		shlib_directory = $LAB_R/usr/lib/postfix
		meta_directory = $d/conf
		sendmail_path = $LAB_R/usr/sbin/sendmail
		mail_owner = postfix
		setgid_group = postdrop
		default_privs = nobody
		maillog_file = $d/maillog
		maillog_file_prefixes = $LAB_M
		import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME LANG=C LD_LIBRARY_PATH
		export_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH
		inet_protocols = ipv4
		alias_maps =
		alias_database =
		local_recipient_maps =
		smtp_host_lookup = dns
		# Each message is tried, whatever happened to the one before: a test sends few and asks for
		# the fate of each.
		default_destination_concurrency_failed_cohort_limit = 1000
	END
	cat >"$d/conf/master.cf" <<-'END'
		pickup    unix  n - n 60    1 pickup
		cleanup   unix  n - n -     0 cleanup
		qmgr      unix  n - n 300   1 qmgr
		tlsmgr    unix  - - n 1000? 1 tlsmgr
		rewrite   unix  - - n -     - trivial-rewrite
		bounce    unix  - - n -     0 bounce
		defer     unix  - - n -     0 bounce
		trace     unix  - - n -     0 bounce
		verify    unix  - - n -     1 verify
		flush     unix  n - n 1000? 0 flush
		proxymap  unix  - - n -     - proxymap
		smtp      unix  - - n -     - smtp
		relay     unix  - - n -     - smtp
		showq     unix  n - n -     - showq
		error     unix  - - n -     - error
		retry     unix  - - n -     - error
		discard   unix  - - n -     - discard
		virtual   unix  - n n -     - virtual
		anvil     unix  - - n -     1 anvil
		scache    unix  - - n -     1 scache
		postlog   unix-dgram n - n - 1 postlogd
	END
	printf 'cdb\t%s\tdict_cdb_open\tmkmap_cdb_open\n' "$LAB_R/usr/lib/postfix/postfix-cdb.so" \
		>"$d/conf/dynamicmaps.cf"
}

# postfix_set NAME SETTING=VALUE...: changes main.cf; a running instance reads it at postfix_reload.
postfix_set() {
	local name=$1
	shift
	unpacked "$LAB_R/usr/sbin/postconf" -c "$LAB_M/$name/conf" "$@"
}

# postfix_unset NAME SETTING...: back to the default.
postfix_unset() {
	local name=$1
	shift
	unpacked "$LAB_R/usr/sbin/postconf" -c "$LAB_M/$name/conf" -X "$@"
}

# postfix_smtpd NAME ADDRESS HOSTNAME [FILE]: the instance also listens at ADDRESS port 25 under that
# name, with the key and certificate chain in FILE; without one it offers no STARTTLS.
postfix_smtpd() {
	{
		printf '%s:25 inet n - n - - smtpd\n -o myhostname=%s\n' "$2" "$3"
		if [ -n "${4-}" ]; then
			printf ' -o smtpd_tls_security_level=may\n -o smtpd_tls_chain_files=%s\n' "$4"
		else
			printf ' -o smtpd_tls_security_level=none\n'
		fi
	} >>"$LAB_M/$1/conf/master.cf"
}

# postfix_mailboxes NAME DOMAIN...: the instance stores the mail of these domains, one file per
# message, in $LAB_M/NAME/box/DOMAIN/new/.
postfix_mailboxes() {
	local name=$1 box=$LAB_M/$1/box domain
	shift
	install -d -o postfix -g postfix "$box"
	for domain in "$@"; do
		printf '/@%s$/ %s/\n' "${domain//./\\.}" "$domain"
	done >"$LAB_M/$name/conf/boxes"
	postfix_set "$name" "virtual_mailbox_domains=$*" "virtual_mailbox_base=$box" \
		"virtual_mailbox_maps=regexp:$LAB_M/$name/conf/boxes" \
		"virtual_uid_maps=static:$(id -u postfix)" "virtual_gid_maps=static:$(id -g postfix)"
}

# postfix_start NAME: master stays our child, in the foreground.
postfix_start() {
	local d=$LAB_M/$1 from

	from=$(size_of "$d/maillog")
	# Not through unpacked(): $! shall be master itself.
	LD_LIBRARY_PATH=$lab_libs "$LAB_R/usr/lib/postfix/sbin/master" -c "$d/conf" >"$d/out" 2>&1 &
	echo $! >"$d/pid"
	await line -o "$from" "$d/maillog" 'daemon started' >/dev/null ||
		complain "postfix $1 did not start: $(tail -n 5 "$d/out" "$d/maillog")"
}

postfix_reload() {
	local d=$LAB_M/$1 from pid old

	pid=$(cat "$d/pid") && old=$(postfix_workers "$pid") || return
	from=$(size_of "$d/maillog")
	kill -HUP "$pid"
	await line -o "$from" "$d/maillog" 'reload -- version' >/dev/null ||
		complain "postfix $1 did not reload" || return
	postfix_relieved "$old"
}

# postfix_workers PID: the processes of the master, but for the one that keeps the log.
postfix_workers() {
	local pid
	for pid in $(cat "/proc/$1/task/$1/children"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postlogd ] || echo "$pid"
	done
}

# postfix_relieved PIDS: those who were there before a reload are gone. They end by themselves when they are told;
# until then they would take mail, and deliver it, by what was configured before.
postfix_relieved() {
	local pid
	for pid in $1; do
		timeout "$LAB_WAIT_S" tail --pid="$pid" -f /dev/null ||
			complain "postfix: process $pid stays at work" || return
	done
}

size_of() {
	if [ -e "$1" ]; then stat -c %s "$1"; else echo 0; fi
}

# postfix_tools NAME: the instance's own postconf, postmap and so on for programs that look for them
# in PATH, as on a machine where it is installed.
postfix_tools() {
	local tool

	mkdir -p "$LAB_M/$1/bin"
	for tool in postconf postmap postqueue postfix posttls-finger sendmail; do
		printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s MAIL_CONFIG=%s\nexec %s "$@"\n' "$lab_libs" \
			"$LAB_M/$1/conf" "$LAB_R/usr/sbin/$tool" >"$LAB_M/$1/bin/$tool"
		chmod +x "$LAB_M/$1/bin/$tool"
	done
	PATH=$LAB_M/$1/bin:$PATH
}

# --- mail -----------------------------------------------------------------------------------------

# mail_send NAME ID FROM TO TEXT: hands a message with that X-Lab-Id to the instance and prints its
# queue id.
mail_send() {
	local d=$LAB_M/$1 id=$2 from=$3 to=$4 text=$5 line

	printf 'From: <%s>\nTo: <%s>\nSubject: test %s\nMessage-ID: <%s@lab.invalid>\nX-Lab-Id: %s\n\n%s\n' \
		"$from" "$to" "$id" "$id" "$id" "$text" |
		MAIL_CONFIG=$d/conf unpacked "$LAB_R/usr/sbin/sendmail" -C "$d/conf" -i -f "$from" -- "$to" ||
		return 1
	line=$(await line "$d/maillog" "cleanup.*: message-id=<$id@lab.invalid>") ||
		complain "message $id was not queued" || return 1
	line=${line%%: message-id=*}
	echo "${line##* }"
}

# mail_outcome NAME QUEUE-ID [OFFSET]: waits until a delivery of the message was tried (after byte
# OFFSET of the log) and prints the log line: "... status=sent|deferred|bounced (why)".
mail_outcome() {
	await line -o "${3-0}" "$LAB_M/$1/maillog" " $2: to=<.*status=(sent|deferred|bounced|expired)" ||
		complain "message $2: nobody tried to deliver it"
}

# mail_again NAME QUEUE-ID: tries again now, and waits for the outcome as mail_outcome does. The log tells that
# a message was put off before it lies where -i looks for it: so it is asked for until something happens.
mail_again() {
	local from end=$((SECONDS + LAB_WAIT_S))

	from=$(size_of "$LAB_M/$1/maillog")
	while [ $SECONDS -lt $end ]; do
		MAIL_CONFIG=$LAB_M/$1/conf unpacked "$LAB_R/usr/sbin/postqueue" -c "$LAB_M/$1/conf" -i "$2" || return
		! LAB_WAIT_S=5 mail_outcome "$1" "$2" "$from" 2>/dev/null || return 0
	done
	complain "message $2: nobody tried to deliver it again"
}

# mail_queue NAME: JSON, one message per line.
mail_queue() {
	MAIL_CONFIG=$LAB_M/$1/conf unpacked "$LAB_R/usr/sbin/postqueue" -c "$LAB_M/$1/conf" -j
}

# mail_in_queue NAME QUEUE-ID: whether the message is still there.
mail_in_queue() { mail_queue "$1" | grep -qF "\"queue_id\": \"$2\""; }

# mail_boxed NAME ID: how often the message was delivered into a mailbox of the instance.
mail_boxed() {
	[ -d "$LAB_M/$1/box" ] || { echo 0; return; }
	find "$LAB_M/$1/box" -type f -path '*/new/*' -exec grep -lxF "X-Lab-Id: $2" {} + | wc -l
}

# --- the wire -------------------------------------------------------------------------------------

# wire_start ARGUMENT...: routes and certificates as `wire` takes them; records into $LAB_M/wire.
wire_start() {
	mkdir -p "$LAB_M/wire"
	rm -f "$LAB_M/wire/control"
	"$LAB_BIN/wire" --record "$LAB_M/wire" --control "$LAB_M/wire/control" "$@" 2>"$LAB_M/wire/err" &
	await exists "$LAB_M/wire/control" || complain "wire did not start: $(cat "$LAB_M/wire/err")"
}

wire_ctl() { "$LAB_BIN/wire" ctl "$LAB_M/wire/control" "$@"; }

# wire_mode ROUTE MODE: for the connections from now on; open ones are waited for first.
wire_mode() {
	if ! wire_ctl idle >/dev/null || ! wire_ctl mode "$1" "$2" >/dev/null; then
		complain "wire: $1 $2"
	fi
}

# wire_read TEXT: whether the wire could read the text in any conversation so far.
wire_read() {
	wire_ctl idle >/dev/null && grep -rqF --include='*.txt' -e "$1" "$LAB_M/wire"
}
