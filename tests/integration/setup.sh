#!/bin/bash
# setup for Debian's own Postfix, Exim (both forms of its configuration), OpenSMTPD and Sendmail, each installed over a copy of this machine that goes away
# with the test. Shown, checked, applied, applied again, reverted.
#
# usage: setup.sh [MTA...]
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

if [ "${1:-}" != --inside ]; then
	if [ "$(id -u)" -ne 0 ]; then
		skip 'setup of other mail servers: needs root'
		exit 77
	fi
	declare -A packages=([postfix]='postfix postfix-cdb' [exim]=exim4-daemon-light [opensmtpd]=opensmtpd [sendmail]='sendmail-bin sendmail-cf m4')
	LAB_PACKAGES=${LAB_PACKAGES:-$top/build/lab-root}
	[ $# -gt 0 ] || set -- postfix exim opensmtpd sendmail
	for mta in "$@"; do
		[ -n "${packages[$mta]-}" ] || { echo 'usage: setup.sh [postfix | exim | opensmtpd | sendmail]...' >&2; exit 2; }
		mkdir -p "$LAB_PACKAGES" "$tmp/$mta"
		rc=0
		# shellcheck disable=SC2086 # names
		B=$B "$top/tests/lab/mail/installed" "$tmp/$mta" "$LAB_PACKAGES" ${packages[$mta]} -- \
			/run/lab/top/tests/integration/setup.sh --inside "$mta" || rc=$?
		case $rc in
		0) ;;
		77)
			skip 'setup of other mail servers: the kernel refuses namespaces'
			exit 77
			;;
		*) not_ok "$mta: on a copy of this machine (exit $rc)" ;;
		esac
	done
	finish
fi
only_in_the_copy
mta=$2
ok "$mta: installed over a copy of this machine"
mkdir -p /etc/preload25
printf '[source]\nroot = /run/p25/root.json\nurl = file:/run/p25/repository\n[state]\ndir = /run/p25/state\n' \
	>/etc/preload25/preload25-update.conf
update() { preload25-update "$@"; }

snapshot() { # snapshot NAME: the configuration as it is, backups apart
	(cd /etc && find "$@" -type f ! -name '*.preload25-*' -exec sha256sum {} + | sort -k2)
}

# cycle NAME CONFIG-PATHS...: the whole life of a set-up.
cycle() {
	local name=$1
	shift
	snapshot "$@" >"$tmp/before"
	expect "$name: --check says that something is missing" 1 '' update setup "$mta" --check
	snapshot "$@" >"$tmp/now"
	check "$name: --check changes nothing" cmp "$tmp/before" "$tmp/now"
	expect "$name: setup tells what it would do" 0 '' update setup "$mta"
	check "$name: ... in the mail server's own words" grep -q preload25 "$tmp/out"
	expect "$name: --apply" 0 '' update setup "$mta" --apply
	check "$name: ... says what to run" grep -qE '^(done; )?now run: (systemctl|postfix) ' "$tmp/out"
	expect "$name: --check is content" 0 '' update setup "$mta" --check
	snapshot "$@" >"$tmp/applied"
	expect "$name: --apply once more" 0 '' update setup "$mta" --apply
	snapshot "$@" >"$tmp/now"
	check "$name: ... changes nothing" cmp "$tmp/applied" "$tmp/now"
}
# revert NAME CONFIG-PATHS...
revert() {
	local name=$1
	shift
	expect "$name: --revert" 0 '' update setup "$mta" --revert
	snapshot "$@" >"$tmp/now"
	check "$name: ... leaves the configuration as it was" diff "$tmp/before" "$tmp/now"
	expect "$name: --revert once more" 0 '' update setup "$mta" --revert
}

case $mta in
postfix)
	postconf -n >"$tmp/said"
	# What requires TLS in an older way is not lost.
	postconf -e 'smtp_tls_per_site = static:MUST'
	expect 'postfix: tables that it would not ask any more' 1 '' update setup postfix --apply
	check 'postfix: ... are told' grep -q '^smtp_tls_per_site = static:MUST: Postfix would not ask it' "$tmp/out"
	postconf -X smtp_tls_per_site
	# What was typed is named, and not the copy, which is gone.
	echo '{"signed": {}}' >"$tmp/wrong.json"
	cp -a /etc/preload25 "$tmp/before.etc"
	expect 'postfix: a root file that is none' 2 "^preload25-update: $tmp/wrong.json: not a TUF root file" \
		update --config /etc/preload25/first.conf setup postfix --apply --source file:/run/p25/repository --root "$tmp/wrong.json"
	check 'postfix: ... of which nothing is left' diff -r "$tmp/before.etc" /etc/preload25
	cycle postfix postfix
	# The rest is read on a copy, told with --config-dir.
	cp -a /etc/postfix "$tmp/postfix.copy"
	own() { # own NAME EXIT TEXT POSTCONF-ARGUMENTS...: what is said of a configuration with one more line
		local name=$1 rc=$2 text=$3
		shift 3
		rm -rf "$tmp/postfix.own"
		cp -a "$tmp/postfix.copy" "$tmp/postfix.own"
		postconf -c "$tmp/postfix.own" "$@" || not_ok "$name: postconf"
		expect "postfix: $name" "$rc" '' update setup postfix --check --config-dir "$tmp/postfix.own"
		check 'postfix: ... in plain words' grep -q -- "$text" "$tmp/out"
	}
	own 'a relay host' 1 'relayhost = \[hub.example\]: all mail goes there' -e 'relayhost = [hub.example]'
	own 'a default transport to one host' 1 'default_transport = smtp:\[hub.example\]: all mail' \
		-e 'default_transport = smtp:[hub.example]'
	own 'policy maps of its own in master.cf, by which all mail goes' 1 'master.cf: smtp/unix, by which mail goes' \
		-P smtp/unix/smtp_tls_policy_maps=static:may
	own '... by which some mail goes' 0 '^! master.cf: relay/unix has "smtp_tls_policy_maps = static:may"' \
		-P relay/unix/smtp_tls_policy_maps=static:may
	own 'a map that answers for all before the list' 1 'static:may answers for every domain' \
		-e "smtp_tls_policy_maps = static:may, $(postconf -h smtp_tls_policy_maps)"
	own 'the same map behind it' 0 'main.cf has all it needs' \
		-e "smtp_tls_policy_maps = $(postconf -h smtp_tls_policy_maps), static:may"
	own 'a fallback relay' 0 '^! smtp_fallback_relay = ' -e 'smtp_fallback_relay = [hub.example]'
	own 'tables of an older form' 0 '^! smtp_tls_per_site = hash:/etc/older: Postfix does not ask it' \
		-e 'smtp_tls_per_site = hash:/etc/older'
	own 'certificates of its own' 0 '^! smtp_tls_CAfile = /etc/passwd: mail to listed domains' \
		-e 'smtp_tls_CAfile = /etc/passwd'
	own 'no resolver that validates' 0 '^! .*domains that have DANE only are left out' -e 'compatibility_level = 3.6'
	expect 'postfix: --revert' 0 '' update setup postfix --revert
	postconf -n >"$tmp/now"
	check 'postfix: ... leaves main.cf saying what it said' diff "$tmp/said" "$tmp/now"
	expect 'postfix: --revert once more' 0 '' update setup postfix --revert
	;;
exim)
	conf=/etc/exim4/update-exim4.conf.conf
	expect 'exim: a machine that sends nothing is told so' 1 '' update setup exim
	sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='smarthost'/" "$conf"
	expect 'exim: so is one with a smart host' 1 '' update setup exim --apply
	check 'exim: ... in plain words' grep -q 'all mail goes to one other host' "$tmp/out"
	sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/" "$conf"
	check 'exim: the configuration before' update-exim4.conf
	cp /etc/exim4/exim4.conf.template "$tmp/template"
	echo 'this is rubbish' >>/etc/exim4/exim4.conf.template
	expect 'exim: a configuration that is broken already' 2 'nothing was changed: .*option "this" unknown' \
		update setup exim --apply
	cp "$tmp/template" /etc/exim4/exim4.conf.template
	for split in false true; do
		sed -i "s/^dc_use_split_config=.*/dc_use_split_config='$split'/" "$conf"
		cycle "exim, split $split" exim4
		exim4 -bP router_list >"$tmp/routers" 2>&1
		check "exim, split $split: the routers stand before the general one" \
			awk '/^preload25$/ { a = NR } /^preload25_no_listed_mx$/ { b = NR }
				/^dnslookup$/ { c = NR } END { exit !(a && b > a && c > b) }' "$tmp/routers"
		exim4 -bP transport preload25_pkix >"$tmp/transport" 2>&1
		check "exim, split $split: the transport wants TLS, verified" \
			grep -q '^hosts_require_tls = \*$' "$tmp/transport"
		if [ "$split" = false ]; then
			# What the site has added since stays.
			echo '# the site: its own line' >>/etc/exim4/exim4.conf.template
			(cd /etc && sed -i '/exim4.conf.template$/d' "$tmp/before")
			expect 'exim: --revert beside a later change' 0 '' update setup exim --revert
			check 'exim: ... which stays' grep -q "^# the site" \
				/etc/exim4/exim4.conf.template
			check 'exim: ... while ours is gone' \
				sh -c '! grep -q preload25 "$1"' sh /etc/exim4/exim4.conf.template
		else
			revert "exim, split $split" exim4
		fi
	done
	# What --apply has brought goes, whatever the site has become since.
	snapshot exim4 >"$tmp/before"
	expect 'exim: --apply in split form' 0 '' update setup exim --apply
	sed -i -e "s/^dc_use_split_config=.*/dc_use_split_config='false'/" \
		-e "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='smarthost'/" "$conf"
	expect 'exim: --revert after the form has changed, and all goes to a smart host' 0 '' \
		update setup exim --revert
	sed -i -e "s/^dc_use_split_config=.*/dc_use_split_config='true'/" \
		-e "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/" "$conf"
	snapshot exim4 >"$tmp/now"
	check 'exim: ... leaves nothing of ours' diff "$tmp/before" "$tmp/now"
	: >/etc/exim4/exim4.conf
	expect 'exim: beside a configuration made by hand it only tells' 2 \
		'exim4.conf is made by hand: put these routers and transports into it yourself' \
		update setup exim --apply
	check 'exim: ... what is to be put in' grep -q '^preload25_pkix:$' "$tmp/out"
	rm /etc/exim4/exim4.conf
	# A configuration that Exim does not take is put back.
	echo 'no_such_option = 1' >/etc/exim4/conf.d/main/90_broken
	snapshot exim4 >"$tmp/before"
	expect 'exim: where Exim refuses the result' 2 'nothing was changed: .*update-exim4.conf' \
		update setup exim --apply
	snapshot exim4 >"$tmp/now"
	check 'exim: ... every file is as it was' cmp "$tmp/before" "$tmp/now"
	;;
opensmtpd)
	cycle opensmtpd smtpd.conf
	check 'opensmtpd: the rule stands before the general one' \
		awk '/for domain <preload25> action "preload25-1"/ { a = NR } /for any action "relay"/ { b = NR }
			END { exit !(a && b > a) }' /etc/smtpd.conf
	check 'opensmtpd: its own check likes it' smtpd -n
	# Domains pinned to the one server that they name; and no more: what is queued needs its action.
	printf '[opensmtpd]\npin = yes\n' >>/etc/preload25/preload25-update.conf
	expect 'opensmtpd: --check after pin = yes' 1 '' update setup opensmtpd --check
	expect 'opensmtpd: --apply with pin = yes' 0 '' update setup opensmtpd --apply
	check 'opensmtpd: ... the rule for pinned domains stands first' \
		awk '/for domain <preload25-pinned> action "preload25-pinned-1"/ { a = NR }
			/for domain <preload25> action "preload25-1"/ { b = NR } END { exit !(a && b > a) }' \
		/etc/smtpd.conf
	check 'opensmtpd: ... its own check likes it' smtpd -n
	expect 'opensmtpd: ... --check is content' 0 '' update setup opensmtpd --check
	sed -i 's/^pin = yes/pin = no/' /etc/preload25/preload25-update.conf
	expect 'opensmtpd: --apply with pin = no' 0 '' update setup opensmtpd --apply
	check 'opensmtpd: ... there is no rule, but the action of what is queued' \
		sh -c 'grep -q "^action \"preload25-pinned-1\"" "$1" && ! grep -q "^match.*pinned" "$1"' \
		sh /etc/smtpd.conf
	# Without its action OpenSMTPD neither delivers nor shows nor returns what is queued.
	mkdir -p /var/spool/smtpd/queue/ab/abcdef01
	printf 'version: 3\ndispatcher: preload25-pinned-1\ntype: mta\n' \
		>/var/spool/smtpd/queue/ab/abcdef01/abcdef0123456789
	expect 'opensmtpd: --revert with mail in the queue' 0 '' update setup opensmtpd --revert
	check 'opensmtpd: ... says that the actions stay' grep -q 'the actions stay' "$tmp/out"
	check 'opensmtpd: ... which they do, without tables or rules' \
		awk '/^action "preload25-(pinned-)?1" relay tls$/ { n++ } /^(match|table).*preload25/ { bad = 1 }
			END { exit bad || n != 2 }' /etc/smtpd.conf
	check 'opensmtpd: ... its own check likes it' smtpd -n
	rm -r /var/spool/smtpd/queue/ab
	revert opensmtpd smtpd.conf
	sed -i 's/^action "relay" relay$/action "relay" relay tls no-verify/' /etc/smtpd.conf
	expect 'opensmtpd: beside an action that verifies nobody' 0 '' update setup opensmtpd --apply
	check 'opensmtpd: ... ours verifies' grep -qx 'action "preload25-1" relay tls' \
		/etc/smtpd.conf
	expect 'opensmtpd: --revert there' 0 '' update setup opensmtpd --revert
	sed -i 's/^action "relay" relay.*$/action "relay" relay/' /etc/smtpd.conf
	sed -i 's/^action "relay" relay$/action "relay" relay host smtp:\/\/hub.example/' /etc/smtpd.conf
	expect 'opensmtpd: with a relay host the list protects nothing' 1 '' update setup opensmtpd --apply
	check 'opensmtpd: ... and is told so' grep -q 'protects nothing' "$tmp/out"
	;;
sendmail)
	cycle sendmail mail/sendmail.mc mail/sendmail.cf
	check 'sendmail: sendmail.cf asks the map' grep -q '^Ksts hash .*/etc/mail/preload25.db' \
		/etc/mail/sendmail.cf
	# m4 writes into sendmail.cf when and where it was made.
	sed -i '/sendmail.cf$/d' "$tmp/before"
	revert sendmail mail/sendmail.mc
	check 'sendmail: sendmail.cf no longer asks the map' \
		sh -c '! grep -q preload25 "$1"' sh /etc/mail/sendmail.cf
	;;
esac
finish
