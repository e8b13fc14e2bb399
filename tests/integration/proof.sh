#!/bin/bash
# proof.sh: the proof with real mail. A real Postfix sends through an internet of ours in which
# somebody on the path strips STARTTLS, shows other certificates and spoofs DNS; first without the
# list, when all of that works, then with the list installed by preload25-update, when none does.
#
#   proof.sh [--lab LABDIR --list-source DIR --root ROOT.json] [--facts FILE] [--keep DIR]
#
#   --lab LABDIR       a lab made by `lab make` (need not be running; is not changed)
#   --list-source DIR  the TUF repository of an authority that listed the lab's domains, as a static
#                      web server would serve it
#   --root ROOT.json   the root metadata an administrator would have installed
#   --facts FILE       the facts as JSON, for those who tell the story
#   --keep DIR         an empty folder for configurations, logs and conversations; kept
#   --postmap          no list: the map is made by postmap from the lab's ground truth. Proves
#                      the lab and the map lines, not the updater
#
# Without --list-source it makes an authority of its own, which takes a while. B is the build
# directory. Needs root (real mail servers do) and namespaces; exits 77 with a "skip" line where it
# may not. PRELOAD25_NOW passes to the updater.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

story=(bank.test clinic.test shop.test university.test village.test cafe.test)
attacker=mx1.tinyhost.test # an honest certificate, for itself
attacker_address=127.66.0.25
attacker_dns=127.66.0.53
web=127.66.0.80
sender=alice@sender.test

usage() {
	sed -n '6,7p' "$0" | sed 's/^# *//' >&2
	exit 2
}

lab='' list_source='' root='' facts='' keep='' by_hand=0 inside=0
while [ $# -gt 0 ]; do
	case $1 in
	--postmap) by_hand=1 ;;
	--inside) inside=1 ;;
	--lab | --list-source | --root | --facts | --keep)
		[ $# -ge 2 ] || usage
		case $2 in *://*) usage ;; esac # nothing outside the namespace can be reached
		name=${1#--}
		declare "${name//-/_}=$(realpath -m -- "$2")"
		shift
		;;
	*) usage ;;
	esac
	shift
done

# --- what an MX host is, read from the lab ---------------------------------------------------------

mx_hosts() { # mx_hosts DOMAIN: names
	awk -v d="$1." '$1 == d && $4 == "MX" { sub(/\.$/, "", $6); print $6 }' "$lab/zones/$1"
}
mx_address() { awk -F'\t' -v n="$1" '$1 == "smtp" && $3 == n { print $2; exit }' "$lab/hosts.tsv"; }
mx_behaviour() { awk -F'\t' -v n="$1" '$1 == "smtp" && $3 == n { print $4; exit }' "$lab/hosts.tsv"; }
# Where the real server stands: 127.A.B.C is the wire's, 127.(A+100).B.C the server's.
behind() { echo "$1" | awk -F. '{ print $1 "." $2 + 100 "." $3 "." $4 }'; }
signing() { awk -F'\t' -v z="$1." '$1 == z { print $2 }' "$lab/zones.tsv"; }

certificate() { # certificate FILE NAME BEHAVIOUR: key and chain in FILE.pem
	lab cert "$lab" "$2" "$LAB_M/certs/$1.pem" "$3"
}

# --- the world -------------------------------------------------------------------------------------

start_world() {
	local domain host routes=() hosts

	mkdir -p "$LAB_M/certs"
	system_ca "$lab/ca/root.pem" && lab_dns "$lab" || return 1

	hosts=$(for domain in "${story[@]}" "$victim"; do mx_hosts "$domain"; done | sort -u)
	postfix_make rx mail.receiver.test
	for host in $hosts; do
		local address behaviour
		address=$(mx_address "$host")
		behaviour=$(mx_behaviour "$host")
		routes+=(--route "$host,$address:25,$(behind "$address"):25")
		if [ "$behaviour" = no-starttls ]; then
			postfix_smtpd rx "$(behind "$address")" "$host"
		else
			certificate "$host" "$host" "$behaviour" || return 1
			postfix_smtpd rx "$(behind "$address")" "$host" "$LAB_M/certs/$host.pem"
		fi
	done
	# The host below bank.test stands for an unlisted subdomain of a listed domain.
	postfix_mailboxes rx "${story[@]}" mx1.bank.test \
		"$(printf '%s\n' "${story[@]}" | grep -qx "$victim" || echo "$victim")"
	postfix_start rx || return 1

	certificate attacker "$attacker" ok || return 1
	certificate unknown-ca mx1.bank.test unknown-ca || return 1
	host=$(mx_hosts "$victim" | head -n 1)
	wire_start "${routes[@]}" \
		--route "attacker,$attacker_address:25,$(behind "$(mx_address "$host")"):25" \
		--cert "attacker,$LAB_M/certs/attacker.pem" \
		--cert "unknown-ca,$LAB_M/certs/unknown-ca.pem" || return 1
	wire_mode attacker cert:attacker || return 1

	# What the attacker answers when asked: the domains' mail goes to a host of his.
	local d=$LAB_M/dns/attacker soa='60 IN SOA ns.test. h.test. 9 3600 600 1209600 5'
	mkdir -p "$d"
	for domain in "$victim" clinic.test; do
		printf '%s. %s\n' "$domain" "$soa" "$domain" '60 IN NS ns.test.' "$domain" "60 IN MX 10 $attacker." \
			>"$d/$domain"
	done
	printf '%s. %s\n' "$attacker" "$soa" "$attacker" '60 IN NS ns.test.' "$attacker" "60 IN A $attacker_address" \
		>"$d/$attacker"
	printf '%s.\t%s\n' "$victim" "$d/$victim" clinic.test "$d/clinic.test" "$attacker" "$d/$attacker" \
		>"$d/zones"
	dns_serve attacker "$attacker_dns" "$d/zones" || return 1

	postfix_make tx mail.sender.test
	# As Debian installs it: TLS when offered, nothing required.
	# What waits is tried when the test says so, however long that takes.
	postfix_set tx inet_interfaces=loopback-only smtp_tls_security_level=may \
		queue_run_delay=1d minimal_backoff_time=1d maximal_backoff_time=1d \
		smtp_tls_CAfile=/etc/ssl/certs/ca-certificates.crt smtp_tls_loglevel=1
	postfix_tools tx
	postfix_start tx
}

# spoof DOMAIN: from now on the attacker answers the resolver's questions about it.
spoof() { dns_spoof "$1" "$attacker_dns" && dns_spoof "$attacker" "$attacker_dns"; }
unspoof() { dns_unspoof "$1" && dns_unspoof "$attacker"; }

# --- installing the list ---------------------------------------------------------------------------

map=/run/lab/mail/tx/preload

updater() { # updater ARGUMENT...: shows what it says; the tools in PATH are the sender's
	local rc=0

	preload25-update --config "$LAB_M/updater/conf" "$@" >"$LAB_M/updater/out" 2>&1 || rc=$?
	sed 's/^/#   preload25-update: /' "$LAB_M/updater/out"
	return "$rc"
}

# The list by preload25-update, from the repository, as an administrator would: the job that cron
# runs, then the change to main.cf.
install_by_updater() {
	mkdir -p "$LAB_M/updater/state"
	httpd --with-parent --root "$list_source" --bind "$web" --port 80 --port-file "$LAB_M/updater/port" \
		--log "$LAB_M/updater/requests" &
	await exists "$LAB_M/updater/port" || return 1
	cat >"$LAB_M/updater/conf" <<-END
		[source]
		url = http://$web/
		root = $root
		[state]
		dir = $LAB_M/updater/state
		[install]
		mta = postfix
		path = $map
		reload = no
	END
	updater && updater setup postfix --apply
}

# The same map from the lab's ground truth, by Postfix's own postmap.
install_by_hand() {
	jq -r 'select(.eligible and .mode == "enforce") | [.domain, (.auth | join("+"))] | @tsv' \
		"$lab/truth.jsonl" | while read -r domain auth; do
		case $auth in
		*pkix*)
			echo "$domain secure match=$(mx_hosts "$domain" | paste -sd:) servername=hostname"
			;;
		*) echo "$domain dane-only" ;;
		esac
	done >"$map"
	postmap "cdb:$map" &&
		postfix_set tx "smtp_tls_policy_maps=cdb:$map, regexp:{{/[^ -~]/ secure match=hostname servername=hostname}}" \
			smtp_dns_support_level=dnssec smtp_tls_security_level=dane
}

install_list() {
	if [ "$by_hand" -eq 1 ]; then install_by_hand; else install_by_updater; fi &&
		[[ $(postconf -h smtp_tls_policy_maps) == *"cdb:$map"* ]] &&
		postfix_reload tx
}

# --- steps -----------------------------------------------------------------------------------------

declare -A queue_id recipient
sent_order=()

fact() { # fact KEY VALUE...: one step as a line of JSON
	local args=() filter='' k
	while [ $# -gt 0 ]; do
		k=$1
		args+=(--arg "$k" "$2")
		filter+="${filter:+,}$k:\$$k"
		shift 2
	done
	jq -cn "${args[@]}" "{$filter}" >>"$LAB_M/facts.jsonl"
}

# post ID RECIPIENT: sends a message with a body of its own and waits for its fate. Sets outcome
# (sent, deferred, bounced), why, relay (the host that was tried last), tls (the log's word for the
# connection: "Verified", "none"), seen (whether anybody on the path or at the attacker's host could
# read the body).
post() {
	local from

	from=$(size_of "$LAB_M/tx/maillog")
	recipient[$1]=$2
	sent_order+=("$1")
	queue_id[$1]=$(mail_send tx "$1" "$sender" "$2" "the secret of $1 stays between us") || return 1
	result "$1" "$from" "$(mail_outcome tx "${queue_id[$1]}")"
}

# try ID [REGEX-OF-THE-REASON]: what was put off is tried again until it goes, or waits for that reason. A name
# server may have been slow.
try() {
	local end=$((SECONDS + LAB_WAIT_S))

	while [ "${outcome-}" = deferred ] && ! [[ -n ${2-} && $why =~ $2 ]]; do
		[ $SECONDS -lt $end ] && again "$1" || return
	done
}

again() { # again ID: tries what is queued once more
	local from

	mail_in_queue tx "${queue_id[$1]}" || return 1
	from=$(size_of "$LAB_M/tx/maillog")
	result "$1" "$from" "$(mail_again tx "${queue_id[$1]}")"
}

result() { # result ID OFFSET LOG-LINE
	local id=$1 line=$3 next

	[ -n "$line" ] || return 1
	outcome=$(expr "$line" : '.*status=\([a-z]*\)')
	why=${line#*status="$outcome" }
	relay=$(expr "$line" : '.* relay=\([^[,]*\)')
	tls=$(tail -c "+$(($2 + 1))" "$LAB_M/tx/maillog" |
		sed -n 's/.*: \([A-Za-z]*\) TLS connection established to .*/\1/p' | tail -n 1)
	tls=${tls:-none}
	seen=no
	! wire_read "the secret of $id stays" || seen=yes
	if [ "$outcome" = sent ]; then
		# The receiver has it; wait until it lies in the mailbox.
		next=$(expr "$why" : '.*queued as \([0-9A-F]*\)')
		[ -n "$next" ] && mail_outcome rx "$next" >/dev/null
	fi
}

judge() { # judge NAME ID PHASE EXPECTED ATTACK STATUS: reports the step, which held when STATUS is 0
	{
		echo "to: ${recipient[$2]}  outcome: ${outcome-}  TLS: ${tls-}  read by others: ${seen-}"
		echo "why: ${why-}"
		tail -n 12 "$LAB_M/tx/maillog"
	} >"$tmp/seen"
	if [ "$6" -eq 0 ]; then ok "$1"; else not_ok "$1" "$tmp/seen"; fi
	fact step "$1" id "$2" phase "$3" expected "$4" attack "$5" recipient "${recipient[$2]}" \
		outcome "${outcome-}" tls "${tls-}" read_by_others "${seen-}" why "${why-}" \
		held "$([ "$6" -eq 0 ] && echo yes || echo no)"
}

leaks() { # leaks NAME ID RECIPIENT ATTACK
	post "$2" "$3" && try "$2" && [ "$outcome" = sent ] && [ "$seen" = yes ]
	judge "$1" "$2" "$phase" leaks "$4" $?
}
stays() { # stays NAME ID RECIPIENT ATTACK REGEX-OF-THE-REASON
	post "$2" "$3" && try "$2" "$5" && [ "$outcome" = deferred ] && [ "$seen" = no ] &&
		mail_in_queue tx "${queue_id[$2]}" &&
		{ [ "$4" != spoofed-mx ] || [ "$relay" = "$attacker" ]; } # he was asked, and failed
	judge "$1" "$2" "$phase" stays "$4" $?
}
arrives() { # arrives NAME ID RECIPIENT ATTACK TLS
	post "$2" "$3" && try "$2" && [ "$outcome" = sent ] && [[ $tls =~ ^($5)$ ]] && [ "$(mail_boxed rx "$2")" -eq 1 ]
	judge "$1" "$2" "$phase" arrives "$4" $?
}
resumes() { # resumes NAME ID: what was queued goes out over verified TLS, unread
	again "$2" && try "$2" && [ "$outcome" = sent ] && [ "$tls" = Verified ] && [ "$seen" = no ] &&
		[ "$(mail_boxed rx "$2")" -eq 1 ]
	judge "$1" "$2" "$phase" resumes none $?
}

mode() { # mode DOMAIN MODE: what happens on the way to all MX hosts of the domain
	local host
	for host in $(mx_hosts "$1"); do
		wire_mode "$host" "$2" || return 1
	done
}

without_list() {
	phase=without-list
	arrives 'without the list, honest path: mail to bank.test is delivered' a0 bob@bank.test none \
		'Trusted|Verified|Untrusted|Anonymous'
	mode bank.test strip
	leaks 'without the list, STARTTLS stripped: mail to bank.test is read on the way' a1 bob@bank.test strip
	mode bank.test cert:attacker
	leaks 'without the list, certificate for another name: mail to bank.test is read' a2 bob@bank.test other-name
	mode bank.test cert:unknown-ca
	leaks 'without the list, certificate of an unknown CA: mail to bank.test is read' a3 bob@bank.test unknown-ca
	mode bank.test honest
	mode clinic.test strip
	leaks 'without the list, STARTTLS stripped: mail to clinic.test is read' a4 bob@clinic.test strip
	mode clinic.test honest
	spoof "$victim"
	leaks "without the list, MX spoofed in DNS: mail to $victim is read by the attacker" a5 "bob@$victim" spoofed-mx
	unspoof "$victim"
}

with_list() {
	phase=with-list
	mode bank.test strip
	stays 'STARTTLS stripped: mail to bank.test stays in the queue' b1 bob@bank.test strip \
		'TLS is required, but was not offered'
	mode bank.test cert:attacker
	stays 'certificate for another name: mail to bank.test stays in the queue' b2 bob@bank.test other-name \
		'not verified|not trusted'
	mode bank.test cert:unknown-ca
	stays 'certificate of an unknown CA: mail to bank.test stays in the queue' b3 bob@bank.test unknown-ca \
		'not verified|not trusted'
	mode bank.test honest
	spoof "$victim"
	stays "MX spoofed in DNS: mail to $victim stays in the queue, the attacker gets nothing" b4 \
		"bob@$victim" spoofed-mx 'not verified|not trusted'
	unspoof "$victim"
	mode clinic.test strip
	stays 'DANE, STARTTLS stripped: mail to clinic.test stays in the queue' b5 bob@clinic.test strip \
		'TLS is required, but was not offered'
	mode clinic.test cert:attacker
	stays 'DANE, another key (TLSA mismatch): mail to clinic.test stays in the queue' b6 bob@clinic.test tlsa-mismatch \
		'not verified|not trusted'
	mode clinic.test honest
	spoof clinic.test
	stays 'MX spoofed in a signed zone: the resolver refuses it, mail to clinic.test stays in the queue' b7 \
		bob@clinic.test spoofed-signed-mx 'Name service error'
	unspoof clinic.test

	arrives 'DANE, honest path: mail to clinic.test is delivered over verified TLS' c1 bob@clinic.test none Verified
	arrives 'shop.test (opt-in record) is delivered over verified TLS' c2 bob@shop.test none Verified
	arrives 'village.test (hosted by a provider) is delivered over verified TLS' c3 bob@village.test none Verified
	arrives 'cafe.test (not listed, no STARTTLS) is still served' c4 bob@cafe.test none none
	mode university.test strip
	arrives 'university.test (testing) is served although STARTTLS is stripped' c5 bob@university.test strip none
	mode university.test honest
	mode bank.test strip
	arrives 'mx1.bank.test (unlisted, below a listed domain) is served although STARTTLS is stripped' c6 \
		bob@mx1.bank.test strip none
	mode bank.test honest

	local id
	for id in b1 b2 b3 b4 b5 b6 b7; do
		resumes "the path is honest again: the queued mail to ${recipient[$id]#*@} ($id) arrives over verified TLS" $id
	done
	# The last word is an attacker's: one message is still in the queue at the end.
	mode bank.test strip
	stays 'STARTTLS stripped once more: the mail waits' d1 bob@bank.test strip \
		'TLS is required, but was not offered'
}

# What the sender's log says of the time without the list, as an administrator would ask.
look_back() {
	[ "$by_hand" -eq 0 ] || return 0
	updater preview --json "$LAB_M/tx/maillog"
	check 'preview reads what Postfix has logged: what would have waited, and what would not' \
		jq -e --arg victim "$victim" '.tls_logged and .by_domain["bank.test"].clear == 1
			and .by_domain["bank.test"].encrypted >= 2 and .by_domain["clinic.test"].clear == 1
			and .by_domain[$victim].other_host == 1' "$LAB_M/updater/out"
}

# And of the time with it.
look_at_what_it_did() {
	[ "$by_hand" -eq 0 ] || return 0
	updater stats --json "$LAB_M/tx/maillog"
	check 'stats reads there what the list did: held up and why, and delivered once the path was honest' \
		jq -e '.listed | .held == 7 and .held_no_tls == 3 and .held_certificate == 4
			and .held_delivered == 6 and .held_bounced == 0' \
		"$LAB_M/updater/out"
}

# Each message is in exactly one place: once in a mailbox, or in the queue.
account() {
	local id boxed queued delivered=0 waiting=0 lost=0 twice=0 bounced

	for id in "${sent_order[@]}"; do
		boxed=$(mail_boxed rx "$id")
		queued=0
		! mail_in_queue tx "${queue_id[$id]}" || queued=1
		delivered=$((delivered + (boxed > 0)))
		waiting=$((waiting + queued))
		[ $((boxed + queued)) -ne 0 ] || lost=$((lost + 1))
		[ $((boxed + queued)) -le 1 ] || twice=$((twice + 1))
	done
	bounced=$(grep -c 'status=\(bounced\|expired\)' "$LAB_M/tx/maillog" "$LAB_M/rx/maillog" | awk -F: '{ n += $2 } END { print n }')
	echo "sent ${#sent_order[@]}, delivered $delivered, queued $waiting, lost $lost, twice $twice, bounced $bounced" \
		>"$tmp/seen"
	if [ $((lost + twice + bounced)) -eq 0 ] && [ $((delivered + waiting)) -eq ${#sent_order[@]} ]; then
		ok "no mail is lost: ${#sent_order[@]} sent, $delivered delivered once, $waiting in the queue"
	else
		not_ok 'no mail is lost' "$tmp/seen"
	fi
	jq -s --argjson sent "${#sent_order[@]}" --argjson delivered "$delivered" \
		--argjson queued "$waiting" --argjson lost "$lost" --argjson twice "$twice" \
		--argjson bounced "$bounced" --arg postfix "$(postconf -h mail_version)" \
		--arg installed_by "$([ "$by_hand" -eq 1 ] && echo postmap || echo preload25-update)" '
		def words: {"strip": "STARTTLS stripped", "other-name": "certificate for another name",
			"unknown-ca": "certificate of an unknown CA", "spoofed-mx": "MX spoofed in DNS",
			"spoofed-signed-mx": "MX spoofed in a signed zone",
			"tlsa-mismatch": "key not in TLSA"}[.attack];
		def domain: .recipient | sub(".*@"; "");
		map(select(.expected == "leaks" and .read_by_others == "yes")) as $leaked
		| map(select(.expected == "stays" and .outcome == "deferred" and .read_by_others == "no")) as $stopped
		| map(select(.expected == "stays" and .read_by_others == "yes")) as $leaked_still
		| map(select(.expected == "resumes" and .tls == "Verified")) as $resumed
		| map(select(.expected == "arrives" and .phase == "with-list" and .outcome == "sent")) as $arrived
		| {postfix: $postfix, installed_by: $installed_by,
		   messages: {sent: $sent, delivered: $delivered, queued: $queued, lost: $lost,
			twice: $twice, bounced: $bounced},
		   leaked_without_list: $leaked, leaked_with_list: $leaked_still,
		   stopped: $stopped, resumed: $resumed, arrived: $arrived, steps: .,
		   story: (
			["Without the list, others read \($leaked | length) mails on the way:"]
			+ ($leaked | map("    \(domain): \(words)"))
			+ ["With the list they read \($leaked_still | length); Postfix \($postfix) kept \($stopped | length) in its queue:"]
			+ ($stopped | map("    \(domain): \(words) \(.why)"))
			+ ["The path honest again, \($resumed | length) of them went out over verified TLS. Delivered meanwhile:"]
			+ ($arrived | map("    \(domain): \(if .tls == "none" then "in clear, it is not enforced" else "\(.tls | ascii_downcase) TLS" end)\(if .attack == "none" then "" else " (\(words))" end)"))
			+ ["\($sent) mails sent: \($delivered) delivered once, \($queued) waiting, \($lost) lost."])
		  }' "$LAB_M/facts.jsonl" >"$LAB_M/proof.json" || not_ok 'the summary is written'
}

run_inside() {
	# shellcheck source=tests/lab/mail/lib.sh
	. "$top/tests/lab/mail/lib.sh"
	trap 'exit 130' INT TERM
	# A spoofed MX needs a zone that is not signed: bank.test if it is not, else the next listed one.
	victim=$(jq -r 'select(.eligible and .mode == "enforce" and (.auth | index("pkix"))) | .domain' "$lab/truth.jsonl" |
		while read -r d; do [ "$(signing "$d")" != none ] || { echo "$d"; break; }; done)
	[ -n "$victim" ] || { not_ok 'the lab has a listed domain whose zone is not signed'; finish; }
	start_world || { not_ok 'the world starts'; finish; }
	ok 'the world starts: name servers, resolver, two Postfix, the wire'
	without_list
	if install_list; then
		ok 'the list is installed in the sending Postfix'
	else
		not_ok 'the list is installed in the sending Postfix'
		finish
	fi
	look_back
	with_list
	look_at_what_it_did
	account
	finish
}

if [ "$inside" -eq 1 ]; then
	run_inside
fi

# --- outside: packages, the world's folder, the namespace -------------------------------------------

if [ "$(id -u)" -ne 0 ]; then
	skip 'proof: real mail servers need root'
	exit 77
fi
LAB_PACKAGES=${LAB_PACKAGES:-$top/build/lab-root}
"$top/scripts/lab-packages" "$LAB_PACKAGES" postfix postfix-cdb unbound nsd || exit
world=${keep:-$tmp/world}
mkdir -p "$world"
if [ -z "$lab" ]; then
	lab=$tmp/lab
	lab make "$lab" || exit
fi
if [ "$by_hand" -eq 0 ] && [ -z "$list_source" ]; then
	# The quickstart's authority, in a folder of ours.
	[ -e "$tmp/lab" ] || ln -s "$lab" "$tmp/lab"
	lab run "$lab" -- "$top/tests/lab/quickstart-authority" "$tmp" >"$tmp/authority.log" 2>&1 || {
		not_ok 'an authority lists the domains of the lab' "$tmp/authority.log"
		finish
	}
	list_source=$tmp/authority/repository
	root=$tmp/root.json
fi
arguments=(--inside --lab "$lab")
if [ "$by_hand" -eq 1 ]; then
	arguments+=(--postmap)
elif [ -n "$root" ]; then
	arguments+=(--list-source "$list_source" --root "$root")
else
	usage
fi
rc=0
TMPDIR=/run/lab/mail LAB_BIN=$B/lab "$top/tests/lab/mail/ns" "$world" "$LAB_PACKAGES" "$0" "${arguments[@]}" || rc=$?
[ "$rc" -ne 77 ] || skip 'proof: the kernel refuses namespaces'
if [ -n "$facts" ] && [ -e "$world/proof.json" ]; then
	cp "$world/proof.json" "$facts"
fi
exit "$rc"
