# shellcheck shell=bash
# stories.bash: what the matrix tells besides single messages: the list changes while mail flows. Sourced
# by matrix.sh inside a world, when all cells are done.
#
# story_NAME sets cell, a letter as in matrix.txt ("?" when it was none of them), and writes what was
# seen to file descriptor 3. story_needs has the cases whose messages it is about. Needs mta, and the lists that make_site has signed:
#   1     all entries
#   2     without b-none
#   3     as 2, and f-unlisted
#   4-    as 3
# shellcheck disable=SC2154,SC2034 # matrix.sh's, senders.bash's

# shellcheck disable=SC2034
STORY_LAST_LIST=103 STORY_PATIENCE_S=10
declare -A story_needs=([removed]='b-none b-454' [hole]=header)

# list_install VERSION: the mirror has it from now on, and the updater takes it.
list_install() {
	cp "$LAB_M/stamps/$1.json" "$LAB_M/site/metadata/timestamp.new" &&
		mv "$LAB_M/site/metadata/timestamp.new" "$LAB_M/site/metadata/timestamp.json" && updater
}

send() { "${mta}_send" "$@"; } # send ID RECIPIENT...

# fate LETTER ID RECIPIENT: NAME_fate. A delivery that is expected is waited for; for all else a story waits no
# longer than for one message, from patience_begins on.
patience_begins() { story_end=$((SECONDS + STORY_PATIENCE_S)); }
fate() {
	local patience=$((story_end - SECONDS))
	[ "$1" != D ] || patience=$LAB_WAIT_S
	LAB_PATIENCE_S=$((patience > 0 ? patience : 0)) "${mta}_fate" "$2" "$3"
}

# fate_is LETTER ID RECIPIENT: the log and the receivers agree upon that. A message that was delivered is
# waited for by its log line, which the server's answer is in.
fate_is() {
	local count
	fate "$@" || outcome='?'
	received "$LAB_M/lab" >"$LAB_M/received.tsv"
	count=$(cut -f1 "$LAB_M/received.tsv" | grep -cxF "$2")
	echo "$2: $outcome, received $count times: $why" >&3
	[ "$outcome" = "$1" ] && [ "$count" -eq "$([ "$1" = D ] && echo 1 || echo 0)" ]
}

# A message that waits since the list has its domain goes out when the list no longer has, or (Q) goes on
# waiting; one that is new goes.
story_removed() {
	local tries
	cell='?'
	list_install 2 || return
	# What is put off for another reason goes by a further run.
	for tries in 1 2 3; do
		LAB_FROM=$(log_size)
		"${mta}_queue_run" || return
		if fate_is Q with-b-none bob@b-none.test && waits with-b-none; then
			cell=Q
		elif fate_is D with-b-none bob@b-none.test; then
			cell=D
		fi
		[[ /$want/ != */"$cell"/* ]] || break
	done
	send removed-new bob@b-none.test && arrives removed-new || cell='?'
	# What is still listed still waits.
	waits with-b-454 || cell='?'
}

# The line of the header that is no way around the list would be one, but for what the set-up has switched off.
story_hole() {
	local LAB_HEADER=${case_header[header]}
	cell='?' LAB_FROM=$(log_size)
	postconf -e tls_required_enable=yes && postfix_reloads && send header-open bob@header.test &&
		goes header-open bob@header.test && [ "$(awk '$1 == "header-open" { print $3 }' "$LAB_M/received.tsv")" = no ] ||
		return
	LAB_FROM=$(log_size)
	postconf -e tls_required_enable=no && postfix_reloads && send header-closed bob@header.test &&
		fate_is Q header-closed bob@header.test && cell=Q
}

# Mail flows to a listed domain and to one that becomes listed meanwhile.
story_added() {
	local n=0 update before=() between=() after=()
	cell='?' LAB_FROM=$(log_size)
	pair() {
		n=$((n + 1))
		send "added-good-$n" bob@a.test && send "added-$n" bob@f-unlisted.test
	}
	pair && pair || return
	before=(1 2)
	# It goes as long as the list does not have it.
	for n in "${before[@]}"; do
		goes "added-$n" bob@f-unlisted.test || return
	done
	list_install 3 3>&- &
	update=$!
	while pair; do
		between+=("$n")
		kill -0 "$update" 2>/dev/null && [ "$n" -lt 50 ] || break
	done
	wait "$update" && [ "$n" -eq $((${#before[@]} + ${#between[@]})) ] && pair && pair || return
	after=($((n - 1)) "$n")
	echo "${#between[@]} messages while the list was installed" >&3
	[ ${#between[@]} -gt 0 ] || return
	cell=Q
	patience_begins
	for n in "${before[@]}" "${between[@]}" "${after[@]}"; do
		goes "added-good-$n" bob@a.test || cell='?'
	done
	for n in "${between[@]}"; do # the one or the other
		fate_is Q "added-$n" bob@f-unlisted.test || fate_is D "added-$n" bob@f-unlisted.test || cell='?'
	done
	for n in "${after[@]}"; do
		fate_is Q "added-$n" bob@f-unlisted.test || cell=X
	done
}

# A hundred lists, and while each is installed a message to a good server and one to a bad one.
story_replaced() {
	local version good=0 bad=0 lost=0 clear=0 updates progress=$LAB_M/progress tries waiting unknown
	local late=0 changing=${mta}_changing
	cell='?' LAB_FROM=$(log_size)
	: >"$progress"
	for ((version = 4; version <= STORY_LAST_LIST; version++)); do
		echo "list $version" >>"$progress"
		list_install $version || exit
	done 3>&- &
	updates=$!
	for ((version = 4; version <= STORY_LAST_LIST; version++)); do
		await line "$progress" "^list $version\$" >/dev/null &&
			send "replaced-good-$version" bob@a.test &&
			send "replaced-bad-$version" bob@c-expired.test || break
	done
	# The updates come to their end by themselves; no other story shall begin before.
	wait "$updates" && [ "$version" -gt "$STORY_LAST_LIST" ] || return
	for ((version = 4; version <= STORY_LAST_LIST; version++)); do
		if fate D "replaced-good-$version" bob@a.test && [ "$outcome" = D ]; then
			good=$((good + 1))
		elif [ "$outcome" = Q ] && [[ -n ${!changing-} && $why =~ ${!changing} ]]; then
			# It came upon the list in the very moment in which it was replaced, and goes the next time.
			late=$((late + 1))
			arrives "replaced-good-$version" && good=$((good + 1))
		else
			echo "replaced-good-$version: $outcome: $why" >&3
		fi
	done
	# Those of which nothing is known in time are tried once more.
	mapfile -t waiting < <(seq 4 $STORY_LAST_LIST)
	for tries in 1 2; do
		[ "$tries" -eq 1 ] || "${mta}_queue_run" || return
		patience_begins
		unknown=()
		for version in "${waiting[@]}"; do
			fate Q "replaced-bad-$version" bob@c-expired.test || unknown+=("$version")
			[ "$outcome" != Q ] || bad=$((bad + 1))
		done
		waiting=("${unknown[@]}")
		[ ${#waiting[@]} -gt 0 ] || break
	done
	received "$LAB_M/lab" >"$LAB_M/received.tsv"
	clear=$(awk -F'\t' '$1 ~ /^replaced-good-/ && $3 == "no"' "$LAB_M/received.tsv" | wc -l)
	lost=$(grep -c '^replaced-bad-' "$LAB_M/received.tsv")
	echo "$good delivered ($late of them late, $clear in clear), $bad wait, $lost with the wrong server" >&3
	version=$((STORY_LAST_LIST - 3))
	if [ "$lost" -gt 0 ] || [ "$clear" -gt 0 ]; then
		cell=X
	elif [ "$good" -eq $version ] && [ "$bad" -eq $version ] &&
		[ "$(grep -c '^replaced-good-' "$LAB_M/received.tsv")" -eq $version ] &&
		[ "$("${mta}_queue" | grep -c '^replaced-bad-')" -eq $version ]; then
		cell=D
	fi
}

# Somebody has removed the list: nothing goes out, whether it is listed or not, until it is back; or (B) nothing
# is taken until then.
story_missing() {
	local map=$LAB_UPDATER/map-away file
	declare -n its=${mta}_map
	cell='?' file=$its
	# Who has it open must notice, too: no name is left.
	cp -p "$file" "$map" && rm "$file" && rm -f "$file.1" || return
	LAB_FROM=$(log_size)
	send missing-1 bob@sub.a.test
	case $? in
	0)
		send missing-2 bob@a.test || return
		fate_is Q missing-1 bob@sub.a.test && fate_is Q missing-2 bob@a.test && cell=Q
		;;
	1) ! send missing-2 bob@pattern.test && cell=B ;; # refused at submission
	*) return ;;
	esac
	cp -p "$map" "$file.new" && mv "$file.new" "$file" || return
	if [ "$cell" = B ]; then
		LAB_FROM=$(log_size)
		send missing-3 bob@sub.a.test && send missing-4 bob@pattern.test &&
			goes missing-3 bob@sub.a.test && goes missing-4 bob@pattern.test || cell='?'
		return
	fi
	"${mta}_queue_run" || return
	arrives missing-1 && arrives missing-2 || cell='?'
}

# goes ID RECIPIENT: it is delivered, once; if it is put off at first, by a further run of the queue. For what
# nothing holds back for good.
goes() {
	fate_is D "$@" && return
	[ "$outcome" != B ] && arrives "$1" && received "$LAB_M/lab" >"$LAB_M/received.tsv" &&
		[ "$(cut -f1 "$LAB_M/received.tsv" | grep -cxF "$1")" -eq 1 ]
}

# waits ID: the message is in the queue. While it goes from one part of that to another it may be seen in neither.
waits() {
	local end=$((SECONDS + LAB_WAIT_S))
	until "${mta}_queue" | grep -qxF "$1"; do
		[ $SECONDS -lt $end ] || return
	done
}

# arrives ID: the message comes to its receiver, at most $LAB_WAIT_S from now; the queue is run until then.
arrives() {
	local end=$((SECONDS + LAB_WAIT_S)) from
	while ! received "$LAB_M/lab" | cut -f1 | grep -qxF "$1"; do
		from=$(log_size)
		[ $SECONDS -lt $end ] && "${mta}_queue_run" || return
		# The next look is when something was logged.
		"$LAB_BIN/await" -t 5 line -o "$from" "$LAB_LOG" . >/dev/null || true
	done
}

# named CASE: whether the entry names all MX hosts of the case.
named() {
	local host pattern patterns found
	read -r _ patterns <<<"${case_list[$1]}"
	IFS=, read -ra patterns <<<"$patterns"
	for host in ${case_mx[$1]}; do
		found=1
		for pattern in "${patterns[@]}"; do
			case $pattern in
			'*'*) [ "${host#*.}" = "${pattern#'*.'}" ] && [[ $pattern == '*.'* ]] && found=0 ;;
			*) [ "$host" != "$pattern" ] || found=0 ;;
			esac
		done
		[ "$found" -eq 0 ] || return 1
	done
}

# can_look_back CASE: not at those whose domain the log does not have in ASCII, or that another message goes
# to, too; nor at those that are not listed, or not for this mail server.
can_look_back() {
	case $1:${case_list[$1]} in *:- | *:testing* | n-*) return 1 ;; esac
	[ "${case_with["$1 $mta"]}" != n/e ]
}

# hides_names: the log does not say to which server a message went, only to which address.
hides_names() { case $mta in opensmtpd*) return 0 ;; esac; return 1; }

# is_untold: the log does not say that it tells of TLS: it must have a message that went so, in the phase PHASE.
is_untold() { # is_untold PHASE
	case $mta in postfix* | sendmail*) ;; *) return 1 ;; esac
	! awk -F'\t' '$2 == "D" && $4 != "no" { found = 1 } END { exit !found }' "$LAB_M/$1.tsv"
}

# why_held CASE: what stats must say of a message that waits since there is a list; "": for any reason of the list's.
why_held() {
	case $1 in
	b-*) echo held_no_tls ;;
	c-* | d) echo held_certificate ;;
	*) echo '' ;;
	esac
}

# look_back PHASE: what preview and stats read in the part of the log that the phase has written, against what was
# seen: each listed domain's message went as they say. Writes differences to descriptor 3, and sets
# looked to the number of messages.
look_back() {
	local phase=$1 name got tls want in_clear=clear
	looked=0
	! is_untold "$phase" || in_clear=untold
	tail -c "+$((LAB_FROM + 1))" "$LAB_LOG" >"$LAB_M/$phase.log"
	updater preview --json "$LAB_M/$phase.log" && mv "$LAB_UPDATER/out" "$LAB_M/$phase.preview" &&
		updater stats --json "$LAB_M/$phase.log" && mv "$LAB_UPDATER/out" "$LAB_M/$phase.stats" || return
	while IFS=$'\t' read -r name got _ tls _; do
		can_look_back "$name" || continue
		# Still being tried, which OpenSMTPD does not call an attempt.
		[[ ${seen_why["$phase-$name"]-} != *'|inflight|'* ]] || continue
		case $got in
		Q) want=not_sent ;;
		D) if ! named "$name" && ! hides_names; then
			want=other_host
		elif [ "$tls" = no ]; then
			want=$in_clear
		elif [ "$phase" = with ]; then
			want=verified
		else
			want=tls # one server was known by chance, another was not
		fi ;;
		*) continue ;;
		esac
		looked=$((looked + 1))
		jq -e --arg d "${case_domain[$name]}" --arg want "$want" '.by_domain[$d] // {}
			| {verified, encrypted, clear, other_host} as $sent
			| if $want == "not_sent" then .not_sent >= 1 and ([$sent[]] | add) == 0
			elif $want == "untold" then .untold == 1 and ([$sent[]] | add) == 0
			elif $want == "tls" then .verified + .encrypted == 1 and ([$sent[]] | add) == 1
			else $sent[$want] == 1 and ([$sent[]] | add) == 1 end' "$LAB_M/$phase.preview" >/dev/null || {
			echo "$name: $want expected, preview says $(seen_of preview "$phase" "$name")" >&3
			cell='?'
		}
		[ "$phase" = with ] && [ "$got" = Q ] || continue
		jq -e --arg d "${case_domain[$name]}" --arg why "$(why_held "$name")" '.by_domain[$d] // {}
			| .held == 1 and ($why == "" or .[$why] == 1)' "$LAB_M/$phase.stats" >/dev/null || {
			echo "$name: held up ($(why_held "$name")), stats says $(seen_of stats "$phase" "$name")" >&3
			cell='?'
		}
	done <"$LAB_M/$phase.tsv"
}

seen_of() { # seen_of preview|stats PHASE CASE
	jq -c --arg d "${case_domain[$3]}" '.by_domain[$d] // {} | with_entries(select(.value != 0))' "$LAB_M/$2.$1"
}
