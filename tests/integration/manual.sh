#!/bin/bash
# Manual pages, --help, sample configuration and README agree with the programs.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# Every command and option that --help names stands in the manual page, and the other way round.
agree() { # agree PROGRAM PAGE
	local program=$1 page=$2 command

	"$program" --help >"$tmp/help"
	sed -n '/^commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' "$tmp/help" | sort -u >"$tmp/commands"
	while read -r command; do
		"$program" "$command" --help >>"$tmp/help" || echo "$program $command --help fails" >>"$tmp/bad"
	done <"$tmp/commands"
	grep -oE '^  --[a-z-]+' "$tmp/help" | sed 's/^  --//' | sort -u >"$tmp/options"
	# mdoc: ".Fl Fl name", ".It Fl Fl name", "Op Fl Fl name", ".It Cm name", "Cm name".
	grep -oE 'Fl Fl [a-z-]+' "$page" | sed 's/Fl Fl //' | sort -u >"$tmp/man-options"
	grep -E '^\.(It Cm|Cm|Op Cm)|^\.It .*Cm' "$page" | grep -oE 'Cm [a-z]+' | sed 's/Cm //' | sort -u >"$tmp/man-commands"
	comm -23 "$tmp/commands" "$tmp/man-commands" | sed "s|^|$page lacks the command |" >>"$tmp/bad"
	comm -23 "$tmp/options" "$tmp/man-options" | sed "s|^|$page lacks the option --|" >>"$tmp/bad"
	comm -13 "$tmp/options" "$tmp/man-options" | sed "s|^|$program has no option --|" >>"$tmp/bad"
	if [ ! -s "$tmp/commands" ] || [ ! -s "$tmp/options" ]; then
		echo "$program --help names no commands or options" >>"$tmp/bad"
	fi
}
for pair in preload25:1 preload25-update:8; do
	: >"$tmp/bad"
	program=${pair%:*}
	agree "$program" "$top/data/man/$program.${pair#*:}"
	if [ -s "$tmp/bad" ]; then not_ok "$program: manual and --help agree" "$tmp/bad"; else
		ok "$program: manual and --help agree"; fi
done

# The sample configurations load as they stand, and with every line switched on that has a value.
for program in preload25 preload25-update; do
	sample=$top/data/$program.conf.example
	check "$program.conf.example is there" test -s "$sample"
	sed 's/^#\([a-z_]* = .\)/\1/' "$sample" >"$tmp/on.conf"
	if [ "$program" = preload25 ]; then
		expect "$program.conf.example loads with every key set" 1 '' \
			preload25 --config "$tmp/on.conf" check 'not a domain'
	else
		expect "$program.conf.example: the source is still to be named" 2 'preload25-update: .*(url|root|rules)' \
			preload25-update --config "$tmp/on.conf"
	fi
done

# Completion offers what --help has: commands, options, alternatives.
offered() { # offered WORD...: the completions of the last word, sorted
	# shellcheck source=data/completion/preload25.bash
	(. "$top/data/completion/preload25.bash" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) &&
		_preload25 "$1" && printf '%s\n' "${COMPREPLY[@]}" | sort)
}
for program in preload25 preload25-update; do
	"$program" --help | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p' | sort >"$tmp/commands"
	check "$program: every command is completed" diff "$tmp/commands" <(offered "$program" '')
	while read -r command; do
		"$program" "$command" --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort |
			diff - <(offered "$program" "$command" --) || echo "of $command"
	done <"$tmp/commands" >"$tmp/bad" 2>&1
	check "$program: every option is completed" diff /dev/null "$tmp/bad"
done
check 'the mail servers are completed behind setup' \
	diff <(printf '%s\n' exim opensmtpd postfix sendmail) <(offered preload25-update setup '')
check 'and begun words' diff <(echo --nagios) <(offered preload25-update status --na)
: >"$tmp/a file"
check 'files are completed where a file is wanted' \
	diff <(echo "$tmp/a file") <(offered preload25-update --config "$tmp/a")
check 'and so behind verify' diff <(echo "$tmp/a file") <(offered preload25-update verify "$tmp/a")

# Commands that the README shows exist.
: >"$tmp/bad"
grep -oE '^ +(sudo )?preload25(-update)? [a-z]+' "$top/README.md" | sed 's/^ *//; s/^sudo //' | sort -u |
	while read -r program command; do
		"$program" "$command" --help >/dev/null 2>&1 || echo "README: $program $command" >>"$tmp/bad"
	done
if [ -s "$tmp/bad" ]; then not_ok 'commands of the README exist' "$tmp/bad"; else ok 'commands of the README exist'; fi
finish
