#!/bin/bash
# matrix.sh: real mail servers, as Debian installs them, send real mail to receivers of every kind: first
# without the list, when what can be lost is lost, then with the list that preload25-update has installed.
# Each cell of tests/lab/mail/matrix.txt is a message, or two.
#
#   matrix.sh [MTA...] [--case CASE...]
#
# MTA: postfix, exim, ...: those of tests/lab/mail/sender_*.bash. CASE: a case or story of matrix.txt; those
# that it cannot be told without are taken, too. Prints a line per cell, and at the end
# all of it as a table. With KEEP naming an empty folder, what a world leaves (logs, mail, maps) is kept
# there. Needs root and namespaces; exits 77 with a "skip" line where it may not.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"
# shellcheck source=tests/lab/mail/cases.bash
. "$top/tests/lab/mail/cases.bash"
# shellcheck source=tests/lab/mail/stories.bash
. "$top/tests/lab/mail/stories.bash"

senders=$top/tests/lab/mail

usage() {
	sed -n '6p' "$0" | sed 's/^# */usage: /' >&2
	exit 2
}

inside=0 mtas=() cases=()
while [ $# -gt 0 ]; do
	case $1 in
	--inside) inside=1 ;;
	--case)
		shift
		[ $# -gt 0 ] || usage
		cases=("$@")
		break
		;;
	-*) usage ;;
	*) mtas+=("$1") ;;
	esac
	shift
done

# --- the list ---------------------------------------------------------------------------------------

start=$(moment '-1 hour') list_expires=$(moment '+14 days') expires=$(moment '+300 days')
timestamp_expires=$(moment '+2 days')

# make_site DIR: keys and root of an authority, and list 1 with all cases; call it with all loaded.
make_site() {
	local version
	new_authority "$1/authority" && new_site "$1/site" "$1/authority" &&
		cp "$1/authority/root.json" "$1/root.json" || return
	# shellcheck disable=SC2034 # for publish
	keys=$1/authority/keys
	mkdir "$1/stamps"
	cases_entries >"$1/entries"
	publish_list "$1" 1 . && publish_list "$1" 2 -v '^"b-none\.test"' || return
	grep -v '^"b-none\.test"' "$1/entries" >"$1/entries.3"
	case_list[f-unlisted]='pkix mx1'
	case_entry f-unlisted >>"$1/entries.3"
	case_list[f-unlisted]=-
	LC_ALL=C sort -t: -k1,1 "$1/entries.3" >"$1/entries"
	for ((version = 3; version <= STORY_LAST_LIST; version++)); do
		publish_list "$1" "$version" . || return
	done
	cp "$1/stamps/1.json" "$1/site/metadata/timestamp.json"
}

# publish_list DIR VERSION GREP-ARGUMENT...: what grep finds of $1/entries. The file that says that it is
# the newest is kept beside, in stamps, to be put in place when the list shall appear.
publish_list() {
	local dir=$1 version=$2 entries
	shift 2
	mapfile -t entries < <(grep "$@" "$dir/entries")
	lines "${entries[@]}" | whole "$version" >"$dir/list" && publish "$dir/site" "$version" "$dir/list" &&
		cp "$dir/site/metadata/timestamp.json" "$dir/stamps/$version.json"
}

# --- cells ------------------------------------------------------------------------------------------

declare -A seen_why sent
outcome='' why='' # of NAME_fate

# send_all PHASE: one message for each case that has one of its own; sent has what NAME_send returned.
send_all() {
	local name other to
	for name in "${case_names[@]}"; do
		[ "${case_message[$name]}" = "$name" ] || continue
		to=("${case_to[$name]}")
		for other in "${case_names[@]}"; do
			[ "$other" = "$name" ] || [ "${case_message[$other]}" != "$name" ] || to+=("${case_to[$other]}")
		done
		sent[$name]=0
		LAB_HEADER=${case_header[$name]} "${mta}_send" "$1-$name" "${to[@]}" 2>"$LAB_M/submit.err" || sent[$name]=$?
		seen_why["$1-$name"]=$(head -n 1 "$LAB_M/submit.err")
	done
}

# observe PHASE: what became of them, as look has it. A mail server may put a message off for a reason of its own
# (a lock, a name server that was slow, a busy machine): what is to go goes by a further run of the queue then,
# while what is held back for good, rightly or not, is not seen to go by any number of them.
observe() {
	local tries again name got count
	local -a names=("${case_names[@]}")
	declare -A fate
	# shellcheck disable=SC2034 # for NAME_fate
	for tries in 1 2 3 4; do
		if [ "$tries" -gt 1 ]; then
			local LAB_FROM
			LAB_FROM=$(log_size)
			"${mta}_queue_run" || return
			local LAB_WAIT_S=60 # it may have gone before that run
		fi
		look "$1" "${names[@]}"
		again=()
		while IFS=$'\t' read -r name got count _; do
			[ "$count" -gt 0 ] || [ "${sent[${case_message[$name]}]}" -ne 0 ] || ! may_change "$1" "$name" "$got" ||
				again+=("$name")
		done <"$LAB_M/$1.tsv"
		[ ${#again[@]} -gt 0 ] || break
		echo "$mta, $1 the list: tried once more: ${again[*]}" >>"$LAB_M/again"
		names=("${again[@]}")
	done
}

# want_of PHASE CASE: what is to be seen of it there, into want.
want_of() {
	want=${case_with["$2 $mta"]}
	# Without the list, or with one that has no such entry.
	if [ "$1" != with ] || [ "$want" = n/e ]; then want=${case_without["$2 $mta"]}; fi
}

# may_change PHASE CASE OUTCOME: whether the message waits, or nobody knows where it is, and something else is wanted.
may_change() {
	local want
	want_of "$1" "$2"
	case $3 in
	Q) [[ /$want/ != */Q/* ]] ;;
	'?') ;;
	*) return 1 ;;
	esac
}

# look PHASE CASE...: the fate of these messages is asked for anew; that of all goes to $LAB_M/PHASE.tsv: case,
# outcome, how often it was received, TLS, SNI, the receiving host; "-" where nothing was.
look() {
	local phase=$1 name id count row want patience
	shift
	for name in "$@"; do
		id=$phase-${case_message[$name]}
		case ${sent[${case_message[$name]}]} in
		0)
			want_of "$phase" "$name"
			# What can only go is waited for; of the rest a mail server may not tell.
			patience=''
			[[ /$want/ == */Q/* ]] || patience=$LAB_WAIT_S
			LAB_PATIENCE_S=$patience "${mta}_fate" "$id" "${case_to[$name]}" || outcome='?'
			seen_why["$phase-$name"]=$why
			;;
		1) outcome=B ;;
		*) outcome='?' ;;
		esac
		fate[$name]=$outcome
	done
	received "$LAB_M/lab" >"$LAB_M/received.tsv"
	"${mta}_queue" | sort -u >"$LAB_M/queue.txt"
	for name in "${case_names[@]}"; do
		id=$phase-${case_message[$name]}
		# Of a message to several only what came for this one.
		row=$(awk -F'\t' -v id="$id" -v to="@${case_domain[$name]}>" -v all="$(has_company "$name")" \
			'$1 == id && (!all || index(tolower($5), to))' "$LAB_M/received.tsv")
		count=$(grep -c . <<<"$row")
		outcome=${fate[$name]}
		# By itself, between one run and another.
		if [ "$tries" -gt 1 ] && [[ $outcome = [Q?] ]] && [ "$count" -eq 1 ] && ! grep -qxF "$id" "$LAB_M/queue.txt"; then
			outcome=D
		fi
		# What the log says must be so.
		case $outcome in
		D) [ "$count" -eq 1 ] || outcome='?' ;;
		Q) { [ "$count" -eq 0 ] && grep -qxF "$id" "$LAB_M/queue.txt"; } || outcome='?' ;;
		B) [ "$count" -eq 0 ] || outcome='?' ;;
		esac
		printf '%s\t%s\t%s\t%s\n' "$name" "$outcome" "$count" \
			"$(head -n 1 <<<"${row:--	-	-	-	-}" | awk -F'\t' '{ print $3 "\t" $4 "\t" $2 }')"
	done >"$LAB_M/$phase.tsv"
}
has_company() {
	local other
	for other in "${case_names[@]}"; do
		[ "$other" = "$1" ] || [ "${case_message[$other]}" != "${case_message[$1]}" ] || { echo 1; return; }
	done
	echo 0
}

# entry_names CASE HOST: whether the host stands in the entry of the case, by its own name.
entry_names() {
	local patterns
	IFS=$' ,' read -ra patterns <<<"${case_list[$1]}"
	[[ " ${patterns[*]:1} " == *" ${2%".${case_domain[$1]}"} "* ]]
}

# is_enforced CASE
is_enforced() { case ${case_list[$1]} in - | testing*) return 1 ;; esac }

# went_well CASE WANT TLS HOST: whether a message that was delivered in spite of the list is not lost.
went_well() {
	case ${case_without["$1 $mta"]} in
	# Lost without it: this time to a server that the entry names, whatever MX records say.
	clear | impostor) [ "$2" = D ] && [ "$3" != no ] && entry_names "$1" "$4" ;;
	*) [ "$3" != no ] || ! is_enforced "$1" ;;
	esac
}

# judge PHASE: each case against the table.
judge() {
	local phase=$1 name got count tls sni host want cell with
	while IFS=$'\t' read -r name got count tls sni host; do
		with=${case_with["$name $mta"]} cell=$got
		want_of "$phase" "$name"
		if [ "$phase" = with ] && [ "$with" != n/e ]; then
			[ "$got" != D ] || went_well "$name" "$want" "$tls" "$host" || cell=X
		elif [ "$got" = D ] && [[ $want =~ ^(clear|impostor)$ ]]; then
			# In clear, or inside TLS with nobody known.
			cell=$([ "$tls" = no ] && echo clear || echo impostor)
		fi
		{
			echo "outcome $got, received $count times by $host, TLS $tls, SNI $sni; want $want"
			echo "${seen_why["$phase-$name"]-}"
		} >"$tmp/seen"
		if [[ /$want/ == */"$cell"/* ]]; then
			ok "$mta, $phase the list: $name: $cell"
			[ "$phase $with" != 'with n/e' ] || cell=n/e
		else
			not_ok "$mta, $phase the list: $name: $cell instead of $want" "$tmp/seen"
		fi
		printf '%s\t%s\t%s\t%s\n' "$phase" "$mta" "$name" "$cell" >>"$LAB_M/cells.tsv"
	done <"$LAB_M/$phase.tsv"
}

phase() { # phase PHASE
	# shellcheck disable=SC2034 # for NAME_fate
	LAB_FROM=$(log_size)
	send_all "$1"
	observe "$1"
	judge "$1"
}

# preview PHASE: asked of the log, when there is a case to look at.
preview() {
	local name any=0
	for name in "${case_names[@]}"; do ! can_look_back "$name" || any=1; done
	[ $any -eq 1 ] || return
	cell=D
	look_back "$1" 3>"$tmp/seen" 2>&3 || cell='?'
	if [ "$cell" = D ] && [ "$looked" -gt 0 ]; then
		ok "$mta, $1 the list: preview and stats read in the log how $looked messages went"
	else
		not_ok "$mta, $1 the list: preview and stats read in the log how $looked messages went" "$tmp/seen"
	fi
}

stories() {
	local name want began
	for name in "${story_names[@]}"; do
		began=$SECONDS
		patience_begins
		want=${case_with["$name $mta"]}
		[ "$want" != - ] || continue
		"story_$name" 3>"$tmp/seen" 2>>"$LAB_M/stories.err"
		cp "$tmp/seen" "$LAB_M/story-$name"
		if [[ /$want/ == */"$cell"/* ]]; then
			ok "$mta: $name: $cell ($((SECONDS - began)) s)"
		else
			not_ok "$mta: $name: $cell instead of $want" "$tmp/seen"
		fi
		printf 'with\t%s\t%s\t%s\n' "$mta" "$name" "$cell" >>"$LAB_M/cells.tsv"
	done
}

run_inside() {
	local name
	only_in_the_copy
	mta=${mtas[0]}
	PATH=$B:$B/lab:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	# shellcheck source=tests/lab/mail/lib.sh
	. "$senders/lib.sh"
	# shellcheck source=tests/lab/mail/senders.bash
	. "$senders/senders.bash"
	sender_load "$mta"
	# shellcheck disable=SC2206 # names
	for name in "${cases[@]}"; do cases+=(${story_needs[$name]-}); done
	cases_load "$senders/matrix.txt" "${cases[@]}"
	if ! { receivers_start "$LAB_M/lab" && updater_make "${mta%%_*}" && "${mta}_make" && "${mta}_start"; } 2>"$tmp/seen"; then
		not_ok "$mta starts" "$tmp/seen"
		finish
	fi
	version=$("${mta}_version")
	echo "$mta	$version" >"$LAB_M/version"
	ok "$mta $version starts, in a world of its own"
	phase without
	if ! "${mta}_set_up" >"$tmp/seen" 2>&1; then
		not_ok "$mta: the list is installed by preload25-update" "$tmp/seen"
		finish
	fi
	ok "$mta: the list is installed by preload25-update"
	preview without
	phase with
	preview with
	stories
	check "$mta stops" "${mta}_stop"
	cp "$LAB_LOG" "$LAB_M/mail.log"
	finish
}
if [ "$inside" -eq 1 ]; then
	run_inside
fi

# --- outside: what all worlds share, the worlds, the table --------------------------------------------

if [ ${#mtas[@]} -eq 0 ]; then
	for file in "$senders"/sender_*.bash; do
		mta=${file##*/sender_}
		mtas+=("${mta%.bash}")
	done
fi
for mta in "${mtas[@]}"; do
	[ -e "$senders/sender_$mta.bash" ] || usage
done
if [ "$(id -u)" -ne 0 ]; then
	skip 'matrix: real mail servers need root'
	exit 77
fi
LAB_PACKAGES=${LAB_PACKAGES:-$top/build/lab-root}
"$top/scripts/lab-packages" "$LAB_PACKAGES" unbound nsd >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
cases_load "$senders/matrix.txt"
for name in "${cases[@]}"; do
	[ -n "${case_domain[$name]-}" ] || { echo "matrix.sh: no case $name" >&2; exit 2; }
done
base=$tmp/base
mkdir "$base"
cases_plan >"$base/plan"
if ! { lab make "$base/lab" --kinds sts-enforce-own --domains 2 && lab extend "$base/lab" "$base/plan" &&
	make_site "$base"; } >"$tmp/log" 2>&1; then
	not_ok 'a lab and a list for it' "$tmp/log"
	finish
fi
ok 'a lab and a list for it'

# world MTA: what it is told in its world goes to $tmp/world/MTA.out, how that ended to MTA.rc.
world() {
	local world=$tmp/world/$1 rc=0
	local -a packages
	# Only the names of its packages are wanted here.
	mapfile -t packages < <(
		# shellcheck source=/dev/null
		. "$senders/sender_$1.bash"
		declare -n its="$1_packages" debian="$1_debian"
		printf '%s\n' "${debian-}" "${its[@]}"
	)
	local debian=${packages[0]} first=${packages[1]}
	mkdir -p "$world"
	cp -a "$base/." "$world/"
	B=$B "$senders/installed" ${debian:+--debian "$debian"} "$world" "$LAB_PACKAGES" "${packages[@]:1}" -- \
		/run/lab/top/tests/integration/matrix.sh --inside "$1" ${cases:+--case "${cases[@]}"} || rc=$?
	if [ "$rc" -eq 3 ] && [[ -n $debian || $first == */* ]]; then
		skip "matrix: $1: $first ${debian:+of $debian }cannot be had here"
		rc=0
	fi
	[ -z "${KEEP:-}" ] || cp -a "$world" "$KEEP/"
	return "$rc"
}

# show MTA: what it was told, as soon as that is all. A world waits most of its time.
show() {
	local rc=0
	wait "${worlds[$1]}" || rc=$?
	cat "$tmp/world/$1.out"
	if [ "$rc" -eq 77 ]; then
		skip "matrix: $1: the kernel refuses namespaces"
		refused=1
	elif [ "$rc" -ne 0 ]; then
		failures=$((failures + 1))
	fi
}

# A world ends with the process that waits for it.
# shellcheck disable=SC2046 # process ids
trap 'kill $(jobs -pr) 2>/dev/null; rm -rf --one-file-system "$tmp"' EXIT
declare -A worlds
mkdir "$tmp/world"
running=0 refused=0 most=$((3 * $(nproc)))
for mta in "${mtas[@]}"; do
	if [ "$running" -ge "$most" ]; then
		wait -n
		running=$((running - 1))
	fi
	world "$mta" >"$tmp/world/$mta.out" 2>&1 &
	worlds[$mta]=$!
	running=$((running + 1))
done
for mta in "${mtas[@]}"; do
	show "$mta"
done

# The matrix: what was seen with the list; in brackets what was seen without it.
cat "$tmp"/world/*/version >"$tmp/versions" 2>/dev/null
cat "$tmp"/world/*/cells.tsv 2>/dev/null | awk -F'\t' -v versions="$tmp/versions" '
	BEGIN {
		while ((getline line < versions) > 0) {
			split(line, part, "\t")
			version[part[1]] = part[2]
		}
	}
	!($3 in known) { known[$3] = 1; order[++n] = $3 }
	!($2 in column) { column[$2] = 1; mta[++m] = $2 }
	{ cell[$1, $2, $3] = $4 }
	END {
		printf "%-14s", "# case"
		for (j = 1; j <= m; j++) printf " %-20s", mta[j] " " version[mta[j]]
		print ""
		for (i = 1; i <= n; i++) {
			printf "%-14s", "# " order[i]
			for (j = 1; j <= m; j++) {
				with = cell["with", mta[j], order[i]]
				without = cell["without", mta[j], order[i]]
				printf " %-20s", with (without == "" ? "" : " (" without ")")
			}
			print ""
		}
	}'
[ "$refused" -eq 0 ] || [ "$failures" -ne 0 ] || exit 77
finish
