# bash completion for preload25 and preload25-update                             -*- shell-script -*-
# What there is to complete is read from the programs' own --help, so that it is always theirs.

_preload25()
{
	local program=$1 current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	local help commands command='' i word kind words=''
	COMPREPLY=()

	help=$("$program" --help 2>/dev/null) || return
	commands=$(sed -n '/^commands:/,/^$/s/^  \([a-z][a-z0-9-]*\).*/\1/p' <<<"$help")
	for ((i = 1; i < COMP_CWORD; i++)); do
		for word in $commands; do
			[[ ${COMP_WORDS[i]} != "$word" ]] || command=$word
		done
		[[ -z $command ]] || break
	done
	[[ -z $command ]] || help=$("$program" "$command" --help 2>/dev/null) || return

	# The argument of an option: by the word that --help has for it.
	if [[ $previous == --* ]]; then
		kind=$(sed -n "s/^  $previous \([A-Z][A-Z]*\).*/\1/p" <<<"$help")
	fi
	if [[ -z ${kind-} ]]; then
		words=$(sed -n 's/^  \(--[a-z-]*\).*/\1/p' <<<"$help")
		if [[ $current != -* ]]; then
			# Alternatives that stand in the usage line (postfix|exim), or else files.
			words=$commands
			if [[ -n $command ]]; then
				words=$(sed -n '1s/.* \([a-z0-9-]*|[a-z0-9|-]*\).*/\1/p' <<<"$help" | tr '|' ' ')
				kind=$(sed -n '1s/.*\(FILE\|LOG\|DIR\).*/\1/p' <<<"$help")
			fi
		fi
	fi
	case ${kind-} in
	FILE | LOG) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	DIR) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	esac
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _preload25 preload25 preload25-update
