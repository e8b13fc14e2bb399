# shellcheck shell=bash
# cases.bash: matrix.txt as arrays, as a plan of the lab's, and as entries of a list. Sourced.
#
# cases_load FILE [CASE...] fills, in the order of the file: case_names, and by name case_domain (whole),
# case_zone, case_mx, case_hosts, case_list, case_to (whole address), case_header (a line), case_message (the
# case in whose message it goes), case_without and case_with (by "CASE SENDER"); case_senders are the columns. Rows of
# stories are in story_names instead.

declare -a case_names story_names case_senders
declare -A case_domain case_zone case_mx case_hosts case_list case_to case_header case_message case_without case_with

# cases_load FILE [CASE...]: of all cases or of those, and of what those go in the message of; their domains
# are the same whichever are taken.
cases_load() {
	local file=$1 line name domain zone mx hosts list to without with i words
	shift
	mapfile -t case_senders < <(sed -n 's/^# case |.* | without | //p' "$file" | tr -d ' ' | tr '|' '\n')
	while IFS= read -r line; do
		case $line in '' | '#'*) continue ;; esac
		IFS='|' read -r name domain zone mx hosts list to without with <<<"$line"
		# Without the blanks around them.
		read -r name <<<"$name"
		read -r domain <<<"$domain"
		read -r zone <<<"$zone"
		read -r mx <<<"$mx"
		read -r hosts <<<"$hosts"
		read -r list <<<"$list"
		read -r to <<<"$to"
		if [ "$zone" = story ]; then story_names+=("$name"); else case_names+=("$name"); fi
		case_domain[$name]=${domain:-$name}.test
		case_zone[$name]=$zone case_mx[$name]=$mx case_hosts[$name]=$hosts case_list[$name]=$list
		case_message[$name]=$name case_header[$name]=''
		case $to in
		'') to=bob@${case_domain[$name]} ;;
		'+ '*) case_header[$name]=${to#+ } to=bob@${case_domain[$name]} ;;
		'& '*) case_message[$name]=${to#& } to=bob@${case_domain[$name]} ;;
		esac
		case_to[$name]=$to
		IFS=$' \t|' read -ra words <<<"$without"
		IFS=$' \t|' read -ra with <<<"$with"
		for i in "${!case_senders[@]}"; do
			case_without["$name ${case_senders[i]}"]=${words[i]:-${words[0]}}
			case_with["$name ${case_senders[i]}"]=${with[i]}
		done
	done <"$file"
	[ $# -gt 0 ] || return 0
	local taken=" $* "
	local -a some=()
	for name in "$@"; do taken+="${case_message[$name]-} "; done
	for name in "${case_names[@]}"; do [[ $taken != *" $name "* ]] || some+=("$name"); done
	case_names=("${some[@]}") some=()
	for name in "${story_names[@]}"; do [[ $taken != *" $name "* ]] || some+=("$name"); done
	story_names=("${some[@]}")
}

# cases_plan: all domains of matrix.txt as a plan for `lab extend`; call it with all cases loaded.
cases_plan() {
	local name domain host behaviour tlsa preference number=0
	declare -A address

	absolute() { case $1 in *.) echo "${1%.}" ;; *) echo "$1.$domain" ;; esac }
	echo 'zone elsewhere.test none'
	echo 'host evil.elsewhere.test 198.18.0.25 ok'
	for name in "${case_names[@]}"; do
		domain=${case_domain[$name]}
		[ "${case_zone[$name]}" = - ] || echo "zone $domain ${case_zone[$name]}"
	done
	for name in "${case_names[@]}"; do
		domain=${case_domain[$name]}
		for host in ${case_hosts[$name]}; do
			case $host in
			*=*)
				behaviour=${host#*=} tlsa='' host=$(absolute "${host%%=*}")
				case $behaviour in *+*) tlsa=${behaviour#*+} behaviour=${behaviour%+*} ;; esac
				number=$((number + 1))
				address[$host]=198.18.$((number / 250 + 1)).$((number % 250 + 1))
				echo "host $host ${address[$host]} $behaviour"
				[ -z "$tlsa" ] ||
					echo "tlsa $host $behaviour ${tlsa:0:1} ${tlsa:1:1} ${tlsa:2:1} ${tlsa:3}"
				;;
			*@*) echo "record $(absolute "${host%@*}") A ${address[$(absolute "${host#*@}")]}" ;;
			esac
		done
		preference=0
		for host in ${case_mx[$name]}; do
			preference=$((preference + 10))
			echo "record $domain MX $preference $(absolute "$host")."
		done
	done
}

# case_entry CASE: the line of a list, without the comma behind it.
case_entry() {
	local domain=${case_domain[$1]} auth mode=enforce pattern mxs='' patterns

	read -r auth patterns <<<"${case_list[$1]}"
	[ "$auth" != testing ] || mode=testing auth=pkix
	case $auth in
	both) auth='"dane","pkix"' ;;
	*) auth="\"$auth\"" ;;
	esac
	IFS=, read -ra patterns <<<"$patterns"
	for pattern in "${patterns[@]}"; do
		mxs+="${mxs:+,}\"$pattern.$domain\""
	done
	# The list has them sorted.
	mxs=$(tr , '\n' <<<"$mxs" | LC_ALL=C sort | paste -sd,)
	printf '"%s":{"auth":[%s],"max_age":2592000,"mode":"%s","mxs":[%s],"source":"mta-sts","tls":"1.2"}\n' \
		"$domain" "$auth" "$mode" "$mxs"
}

# cases_entries: the lines of a list of all cases, in its order.
cases_entries() {
	local name entries=()
	for name in "${case_names[@]}"; do
		[ "${case_list[$name]}" = - ] || case_entry "$name"
	done | LC_ALL=C sort -t: -k1,1
}
