#!/bin/bash
# units.sh: the units of the Debian package under systemd itself, on copies of this machine that go away with
# the test: one service fetches, as a user without rights, and one installs, without network, with Debian's
# Postfix and with its Exim; what each may not do; what is told when nothing can be fetched; the one service
# of earlier versions becoming two; and the package's removal.
#
# Needs root and namespaces, and a control group of its own for systemd.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"

senders=$top/tests/lab/mail
conf=/etc/preload25/preload25-update.conf
state=/var/lib/preload25

# systemd's, or else from its package, unpacked and not installed.
analyze() {
	local lib
	if command -v systemd-analyze >/dev/null; then
		systemd-analyze "$@"
	elif [ -x "$LAB_PACKAGES/usr/bin/systemd-analyze" ]; then
		lib=$(echo "$LAB_PACKAGES"/usr/lib/*-linux-gnu)
		LD_LIBRARY_PATH=$lib:$lib/systemd "$LAB_PACKAGES/usr/bin/systemd-analyze" "$@"
	else
		return 127
	fi
}
exposure() { # exposure UNIT: of 10
	analyze security --offline=true --no-pager "$top/data/systemd/$1" 2>&1 |
		sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'
}

# --- inside -----------------------------------------------------------------------------------------------

# Process 1 of a namespace of its own is systemd, which runs nothing but what the tests tell it.
become_systemd() { # become_systemd MTA
	only_in_the_copy
	mount -t sysfs -o ro sysfs /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
	mkdir -p /dev/shm /dev/pts && mknod -m 666 /dev/ptmx c 5 2 || exit
	: >/etc/fstab
	: >/etc/machine-id
	cat >/etc/systemd/system/tests.service <<-END
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=oneshot
		Environment=B=$B LAB_BIN=$LAB_BIN HOME=/root LANG=C.UTF-8 TMPDIR=/run/lab/mail
		ExecStart=/run/lab/top/tests/integration/units.sh --driver $1
		StandardOutput=file:/run/lab/mail/$1.out
		StandardError=file:/run/lab/mail/$1.out
		TimeoutStartSec=infinity
		ExecStopPost=sh -c 'systemctl exit "\$\$EXIT_STATUS" || systemctl exit 1'
	END
	printf '[Unit]\nWants=tests.service\n' >/etc/systemd/system/tests.target
	# The same service is started again and again, as fast as the machine is.
	mkdir -p /etc/systemd/system.conf.d
	printf '[Manager]\nDefaultStartLimitIntervalSec=0\n' >/etc/systemd/system.conf.d/tests.conf
	container=tests exec unshare --pid --fork --kill-child --mount-proc \
		/lib/systemd/systemd --system --unit=tests.target --log-target=null
}
apt() { # apt WORD...: without a network, and without a dialogue
	env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o APT::Sandbox::User=root \
		-o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0 "$@" >"$tmp/apt" 2>&1 </dev/null ||
		{ cat "$tmp/apt"; return 1; }
}
# shown PROPERTY [UNIT]
shown() { systemctl show -P "$1" "${2-preload25-update.service}"; }
# Of the last run_job alone.
journal() { journalctl -q --sync && journalctl -q -o cat --since="$since" -u "$@"; }
# comes_to_say NAME TEXT: a process that was only told to do something, since the last run_job.
comes_to_say() {
	local end=$((SECONDS + 120))
	until journalctl -q --sync && journalctl -q -o cat --since="$since" -t "$1" | grep -q -- "$2"; do
		[ $SECONDS -lt $end ] || return
	done
}
# run_job CODE: the service as the timer starts it; its exit code.
run_job() {
	local rc=0
	since=$(date -u '+%F %T.%6N UTC')
	systemctl start preload25-update.service >"$tmp/systemctl" 2>&1 || rc=$?
	[ "$rc" -eq "$(($1 > 0))" ] && [ "$(shown ExecMainStatus)" -eq "$1" ] && return
	echo "systemctl: $rc, exit code $(shown ExecMainStatus), want $1; preload25-fetch.service: $(
		shown Result preload25-fetch.service) $(shown ExecMainStatus preload25-fetch.service)"
	cat "$tmp/systemctl"
	journal 'preload25-*'
	return 1
}
serve() { # serve VERSION: the repository with that list
	mkdir -p "$tmp/site" && cp -a "/run/lab/mail/site-$1/." "$tmp/site/"
}
start_web() {
	rm -f "$tmp/port"
	"$LAB_BIN/httpd" --with-parent --root "$tmp/site" --bind 127.0.0.1 --port 80 \
		--port-file "$tmp/port" --log "$tmp/requests" &
	web=$!
	await exists "$tmp/port"
}
stop_web() { kill "$web" && { wait "$web" || :; }; }
has_version() { preload25-update status | grep -q "^list  *$1 of "; }
nagios() { preload25-update status --nagios; }
# drop_in UNIT LINE...: what an administrator would write by systemctl edit; without a line: takes it away.
drop_in() {
	local dir=/etc/systemd/system/$1.d
	shift
	rm -rf "$dir"
	[ $# -eq 0 ] || { mkdir -p "$dir" && printf '%s\n' '[Service]' "$@" >"$dir/override.conf"; }
	systemctl daemon-reload
}

prepare() {
	rm -rf /usr/sbin/policy-rc.d $state /etc/preload25
	chmod 755 "$tmp"
	check "$mta: the journal runs" systemctl start systemd-journald.service
	check "$mta: a web server with a list" eval 'serve 1 && start_web'
}
set_up() {
	check "$mta: set-up" preload25-update setup "$mta" --apply --source http://127.0.0.1/ \
		--root /run/lab/mail/root.json
}

# --- inside, with Postfix ---------------------------------------------------------------------------------

the_two_services() {
	local prom=/var/lib/prometheus/node-exporter map=/etc/postfix/preload.cdb mirror=$state/incoming/main/repository
	mkdir -p $prom
	printf '[metrics]\ntextfile = %s/preload25.prom\n' $prom >>$conf
	rm $map
	check 'the timer starts the one, which starts the other: the map is made anew' run_job 0
	check '... although it may write next to nothing' test -s $map
	check '... readable for all' test "$(stat -c %a $map)" = 644
	check '... and its figures' grep -qx 'preload25_update_last_exit_code 0' $prom/preload25.prom
	journal preload25-update.service --priority=6..6 >"$tmp/journal"
	check '... the journal has what was done, as information, without the name of the program' \
		grep -q "^$map to be installed: list 1, " "$tmp/journal"
	check '... and postmap was asked' sh -c '! grep -q "no postmap" "$1"' sh "$tmp/journal"
	check 'what was fetched belongs to the user who fetches' \
		test "$(stat -c %U:%a $state/incoming $mirror/metadata/timestamp.json | tr '\n' ' ')" = \
		'_preload25:755 _preload25:644 '
	check '... and what is trusted to root' test "$(stat -c %U $state $state/metadata/root.json | sort -u)" = root
	check 'a newer list' eval 'serve 2 && run_job 0 && has_version 2'
	check 'an ordinary user may ask for the status' setpriv --reuid=65534 --regid=65534 --clear-groups \
		preload25-update status
	check '... which tells of the last fetch' sh -c \
		'setpriv --reuid=65534 --regid=65534 --clear-groups preload25-update status | grep -q "^last fetch  *20.* ago)\|^last fetch .*(now)"'

	drop_in preload25-update.service ExecStart= 'ExecStart=/usr/sbin/preload25-update'
	check 'the one that installs reaches no network' run_job 3
	drop_in preload25-update.service
	drop_in preload25-fetch.service ExecStart= "ExecStart=sh -c 'echo x >$state/state.json || echo y >$map'"
	check 'the one that fetches' run_job 0
	check '... writes nothing of the other' test "$(shown Result preload25-fetch.service)" = exit-code
	drop_in preload25-fetch.service
	check '... whose state is whole' has_version 2
}

# The network is dead, and all are told; then entries that have run out in the meantime.
nothing_to_fetch() {
	stop_web
	check 'no network: it is a failure of the service' run_job 3
	journal preload25-update.service --priority=3 >"$tmp/journal"
	check '... which says in one line why' grep -qE '^could not fetch: .*127\.0\.0\.1' "$tmp/journal"
	check '... and so does the status' sh -c 'preload25-update status | grep -q "^last fetch .*failed: "'
	check '... which is no alarm yet' nagios
	check '... but is one the day after' test "$(PRELOAD25_NOW=$(date -u -d '+25 hours' +%FT%TZ) \
		preload25-update status --nagios 2>&1 | grep -c 'no run has succeeded for 1 day; the last one: could not fetch')" = 1
	start_web
	check 'with a network again all is well' run_job 0
	drop_in preload25-fetch.service ExecStart= 'ExecStart=sh -c "kill -KILL $$$$"'
	check 'a fetching run that is killed before it says a word' run_job 0
	drop_in preload25-fetch.service
	check '... is none that has succeeded' test "$(PRELOAD25_NOW=$(date -u -d '+25 hours' +%FT%TZ) \
		preload25-update status --nagios 2>&1 | grep -c 'no run has succeeded')" = 1
	mv /etc/preload25/root.json /etc/preload25/root.away
	check 'a configuration that is wrong has its exit code' run_job 2
	check '... as systemctl says' grep -q '^Job for preload25-update.service failed' "$tmp/systemctl"
	journal preload25-update.service --priority=3 >"$tmp/journal"
	check '... and an error in the journal' grep -q 'root: /etc/preload25/root.json' "$tmp/journal"
	mv /etc/preload25/root.away /etc/preload25/root.json
	check '... and then is not' run_job 0
}

# Whoever has taken the fetching user over has the folder, and nothing else.
taken_over() {
	local m=$state/incoming/main/repository/metadata
	serve 3
	systemctl start preload25-fetch.service
	systemctl mask --runtime preload25-fetch.service >"$tmp/mask" 2>&1
	rm $m/timestamp.json && ln -s /etc/shadow $m/timestamp.json
	check 'a link in what was fetched' run_job 4
	journal preload25-update.service --priority=3 >"$tmp/journal"
	check '... is refused' grep -q 'timestamp.json: behind a link' "$tmp/journal"
	rm $m/timestamp.json && mkfifo $m/timestamp.json
	check 'a pipe is not waited for' run_job 4
	rm $m/timestamp.json && cp /run/lab/mail/site-1/metadata/timestamp.json $m/timestamp.json
	check 'yesterday is no news' run_job 4
	journal preload25-update.service --priority=3 >"$tmp/journal"
	check '... but rollback' grep -q 'rollback: ' "$tmp/journal"
	check '... and the list is the one before' has_version 2
	systemctl unmask --runtime preload25-fetch.service >"$tmp/mask" 2>&1
	check 'the next run mends it' eval 'run_job 0 && has_version 3'
}

# says_resolver ANSWER SPAN: the fetching run's word, as of then.
says_resolver() {
	sed -i "s/\"resolver\":\"[a-z-]*\",\"resolver_time\":[0-9]*/\"resolver\":\"$1\",\"resolver_time\":$(date -d "$2" +%s)/" \
		$state/incoming/main/record.json
	grep -q "\"resolver\":\"$1\"" $state/incoming/main/record.json
}
dane_line() { postmap -q dane.test cdb:/etc/postfix/preload; }

# What one half has asked of the resolver counts for the other; but not for ever.
resolver_word() {
	run_job 0
	check 'a resolver that does not answer the one that fetches: entries with DANE alone are left out' \
		test -z "$(dane_line)"
	systemctl mask --runtime preload25-fetch.service >"$tmp/mask" 2>&1
	check 'its word that it validates' eval "says_resolver validates 'now' && run_job 0"
	check '... counts' test "$(dane_line)" = dane-only
	check 'one of the day before yesterday' eval "says_resolver does-not '-2 days' && run_job 0"
	check '... does not' test "$(dane_line)" = dane-only
	check 'that it does not validate' eval "says_resolver does-not 'now' && run_job 0"
	journal preload25-update.service --priority=4 >"$tmp/journal"
	check '... is said aloud' grep -q '^warning: 1 domains lose their protection' "$tmp/journal"
	check '... and counts' test -z "$(dane_line)"
	echo 'nameserver 198.18.0.1' >>/etc/resolv.conf
	check 'that it validates, where one is on another machine' eval "says_resolver validates 'now' && run_job 0"
	check '... is not believed' test -z "$(dane_line)"
	sed -i '/198/d' /etc/resolv.conf
	systemctl unmask --runtime preload25-fetch.service >"$tmp/mask" 2>&1
}

# What Postfix's own programs need of a network that is not there.
postfix_tools() {
	postconf -e 'inet_interfaces = 198.18.0.1'
	postconf -X mynetworks
	rm /etc/postfix/preload.cdb
	check 'Postfix that listens on one address: its tools do, too' run_job 0
	journal preload25-update.service >"$tmp/journal"
	check '... and are asked' sh -c '! grep -qi "no postmap\|warning\|fatal" "$1"' sh "$tmp/journal"
	postconf -e 'inet_interfaces = all'
	check 'Postfix starts' postfix start
	cp $conf "$tmp/conf"
	sed -i 's/^mta = .*/mta = texthash\nreload = yes\npath = \/etc\/postfix\/preload/' $conf
	check 'a table of text' run_job 0
	check '... Postfix is told to reload, and does' comes_to_say postfix/master 'reload -- version'
	cp "$tmp/conf" $conf
	check 'back to the other kind' run_job 0
	check 'Postfix stops' postfix stop
}

run_postfix() {
	prepare
	check 'the package of the version before is installed, with its one service' apt install /run/lab/mail/before.deb
	check '... whose timer is enabled' systemctl is-enabled preload25-update.timer
	check '... and waits' systemctl is-active preload25-update.timer
	check 'without a configuration the service is no failure' systemctl start preload25-update.service
	check '... since it does not even start' test "$(shown ConditionResult)" = no
	set_up
	check 'its service works' run_job 0
	chmod 600 $conf
	check 'the upgrade' apt install /run/lab/mail/preload25-updater.deb
	check '... says that the one who fetches may not read the configuration' \
		grep -q "^preload25-updater: $conf: user _preload25, " "$tmp/apt"
	chmod 644 $conf
	check '... leaves the timer' systemctl is-active preload25-update.timer
	check '... and is two services' run_job 0
	check '... of which one has fetched' test "$(shown ExecMainStatus preload25-fetch.service)" = 0 -a \
		"$(shown Result preload25-fetch.service)" = success -a -s $state/incoming/main/record.json
	the_two_services
	nothing_to_fetch
	taken_over
	resolver_word
	postfix_tools
	check 'the package is purged' apt purge preload25-updater
	check '... and there is no unit left' test "$(shown LoadState preload25-update.timer) $(shown LoadState) $(
		shown LoadState preload25-fetch.service)" = 'not-found not-found not-found'
	check '... nor what was fetched' test ! -e $state
	finish
}

# --- inside, with Exim ------------------------------------------------------------------------------------

run_exim() {
	local map=/etc/preload25/exim.cdb
	prepare
	sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/
		s/^dc_local_interfaces=.*/dc_local_interfaces='127.0.0.1'/" /etc/exim4/update-exim4.conf.conf
	check 'exim: the package is installed' apt install /run/lab/mail/preload25-updater.deb
	set_up
	check 'exim: it serves' systemctl start exim4.service
	rm $map
	check 'exim: the map is made anew' run_job 0
	check 'exim: ... whole' test -s $map
	journal preload25-update.service >"$tmp/journal"
	check 'exim: ... and Exim itself was asked' sh -c '! grep -qi "no exim\|only looked into" "$1"' sh "$tmp/journal"
	check 'exim: a newer list' eval 'serve 2 && run_job 0 && has_version 2'
	check 'exim: the package is removed' apt remove preload25-updater
	check 'exim: ... and what setup has brought is gone' sh -c \
		'! grep -rq preload25 /etc/exim4 --include="*template" --include="[0-9]*"'
	check 'exim: ... and Exim serves without it' sh -c '! exim4 -bP transports | grep -q preload25'
	check 'exim: it is purged' apt purge preload25-updater
	check 'exim: ... with its map' test ! -e $map -a ! -e $state
	finish
}

run_driver() {
	only_in_the_copy
	PATH=$LAB_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	mta=$1
	"run_$mta"
}

case ${1:-} in
--systemd) become_systemd "$2" ;;
--driver) run_driver "$2" ;;
esac

# --- outside: the package, and copies of this machine ---------------------------------------------------

LAB_PACKAGES=${LAB_PACKAGES:-$top/build/lab-root}
"$top/scripts/lab-packages" "$LAB_PACKAGES" systemd >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
for unit in preload25-fetch.service preload25-update.service; do
	points=$(exposure $unit)
	if [ "$(analyze --version >"$tmp/log" 2>&1; echo $?)" -eq 127 ]; then
		skip "systemd-analyze is not here: nobody knows how exposed $unit is"
		continue
	fi
	echo "systemd-analyze security: $unit: $points"
	check "$unit is exposed by less than 2 of 10" awk -v e="$points" 'BEGIN { exit !(e != "" && e < 2) }'
done

if [ "$(id -u)" -ne 0 ]; then
	skip 'units: installing needs root'
	finish
fi
# shellcheck disable=SC2034 # for tuf.bash
start=$(moment '-1 hour') list_expires=$(moment '+14 days') expires=$(moment '+300 days')
# shellcheck disable=SC2034 # for tuf.bash
timestamp_expires=$(moment '+2 days')
world=$tmp/world
entry() { # entry DOMAIN AUTH
	printf '"%s":{"auth":["%s"],"max_age":864000,"mode":"enforce","mxs":["mx.%s"],"source":"mta-sts","tls":"1.2"}' \
		"$1" "$2" "$1"
}
# Three lists, each in a repository that has the ones before.
make_world() {
	local version entries=("$(entry dane.test dane)")
	mkdir -p "$world"
	new_authority "$world/authority" && new_site "$world/site-0" "$world/authority" &&
		cp "$world/authority/root.json" "$world/root.json" || return
	keys=$world/authority/keys
	for version in 1 2 3; do
		entries+=("$(entry "example-$version.test" pkix)")
		cp -a "$world/site-$((version - 1))" "$world/site-$version" &&
			lines "${entries[@]}" | whole $version >"$world/list" &&
			publish "$world/site-$version" $version "$world/list" || return
	done
}
# The version before had one service, which did it all.
make_before() {
	local root=$tmp/before unit=lib/systemd/system/preload25-update.service
	dpkg-deb -R "$world/preload25-updater.deb" "$root" && rm "$root/lib/systemd/system/preload25-fetch.service" &&
		sed -i 's/^Version: .*/Version: 0.0.9/' "$root/DEBIAN/control" &&
		sed -i '/preload25-fetch/d; s/ --offline$//; /^PrivateNetwork=/d; /^IPAddressDeny=/d
			s/^RestrictAddressFamilies=/&AF_INET AF_INET6 /' "$root/$unit" &&
		dpkg-deb --root-owner-group --build "$root" "$world/before.deb"
}
check 'three lists' make_world
check 'make deb' make -s -C "$top" "B=$B" deb
deb=$(tail -n 1 "$tmp/check.out")
case $deb in /*) ;; *) deb=$top/$deb ;; esac
[ -s "$deb" ] || finish
cp "$deb" "$world/preload25-updater.deb"
check 'a package as it was before' make_before

# in_a_group DIR COMMAND...: the command in a control group of its own, with those of DIR, in a mount
# namespace; nothing of it is left afterwards. 77 where there is none to be had.
in_a_group() {
	group=$1/preload25-$$ before=$1$(sed -n 's/^0:://p' /proc/self/cgroup)
	leave() {
		local rc=$? pid
		trap '' TERM INT HUP
		echo $$ >"$before/cgroup.procs" || rc=1
		# Whoever is left when this was told to end.
		while read -r pid; do
			kill -KILL "$pid" && timeout 20 tail --pid="$pid" -f /dev/null
		done < <(find "$group" -name cgroup.procs -exec cat {} +)
		find "$group" -depth -type d -exec rmdir {} + || { echo "$group: stays behind"; rc=1; }
		exit "$rc"
	}
	mkdir "$1" || exit
	mount -t cgroup2 cgroup2 "$1" && mkdir "$group" || exit 77
	shift
	trap leave EXIT
	trap 'exit 143' TERM INT HUP
	echo $$ >"$group/cgroup.procs" || exit 77
	# In the background, so that a signal is heard at once.
	unshare --cgroup "$@" &
	wait $!
	exit
}

# with_mta MTA LAST-TEST PACKAGE...: nobody knows how long systemd takes to start when something is wrong.
with_mta() {
	local name=$1 last=$2 rc=0
	shift 2
	unshare --mount bash -c "$(declare -f in_a_group); in_a_group \"\$@\"" bash "$tmp/cgroup-$name" \
		timeout -s KILL 1500 "$senders/installed" "$world" "$LAB_PACKAGES" "$@" adduser ca-certificates systemd systemd-sysv -- \
		/run/lab/top/tests/integration/units.sh --systemd "$name" >"$tmp/systemd" 2>&1 </dev/null || rc=$?
	if [ "$rc" -eq 77 ]; then
		sed 's/^/# /' "$tmp/systemd"
		skip "units: $name: systemd does not run in a control group of its own here"
		return
	fi
	[ ! -e "$world/$name.out" ] || cat "$world/$name.out"
	if [ "$rc" -ne 0 ] || ! grep -q "^ok .*$last" "$world/$name.out" || grep -q '^not ok ' "$world/$name.out"; then
		not_ok "units: $name: all of this (exit $rc)" "$tmp/systemd"
	fi
}
case ${1:-all} in
postfix | all) with_mta postfix 'nor what was fetched' postfix postfix-cdb ;;&
exim | all) with_mta exim 'with its map' exim4-daemon-light ;;
esac
finish
