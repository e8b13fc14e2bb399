#!/bin/bash
# rules.sh: the administrator's own rules on top of a list from a real repository: what the maps of the
# mail servers answer, what explain and status say, without network, and what is refused.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/integration/updater.bash
. "$top/tests/integration/updater.bash"

authorities main
# shellcheck disable=SC2034 # publish's
keys=$tmp/main.auth/keys

# --- a repository -----------------------------------------------------------------------------------
site=$tmp/site
new_site "$site" "$tmp/main.auth"
offer() { # VERSION: the list with one domain more than the one before
	lines "$(entry a.test)" "$(entry b.test)" \
		"$(entry t.test testing)" "$(entry u.test testing)" \
		"$(entry "v$1.test")" "$(entry xn--bcher-kva.test)" |
		whole "$1" >"$tmp/list$1"
	publish "$site" "$1" "$tmp/list$1"
}
check 'a repository' offer 1
without_network() { mv "$site" "$site.away"; }
with_network() { mv "$site.away" "$site"; }

# --- the mail servers' own tools: the machine's, or unpacked ones ------------------------------------
mkdir "$tmp/bin"
root=$top/build/lab-root
if ! command -v postmap >"$tmp/log" && "$top/scripts/lab-packages" "$root" postfix postfix-cdb >"$tmp/log" 2>&1; then
	libraries=$(echo "$root"/usr/lib/postfix "$root"/usr/lib/*-linux-gnu | tr ' ' :)
	mkdir "$tmp/postfix"
	printf '%s\n' 'compatibility_level = 3.6' 'mail_owner = mail' 'setgid_group = games' \
		'default_privs = nobody' "queue_directory = $tmp" "data_directory = $tmp" \
		"shlib_directory = $root/usr/lib/postfix" "meta_directory = $tmp/postfix" \
		'import_environment = LD_LIBRARY_PATH' >"$tmp/postfix/main.cf"
	echo "cdb $root/usr/lib/postfix/postfix-cdb.so dict_cdb_open mkmap_cdb_open" >"$tmp/postfix/dynamicmaps.cf"
	cat >"$tmp/bin/postmap" <<-END
		#!/bin/sh
		LD_LIBRARY_PATH=$libraries exec $root/usr/sbin/postmap -c $tmp/postfix "\$@"
	END
	chmod +x "$tmp/bin/postmap"
fi
if ! command -v cdb >"$tmp/log" && "$top/scripts/lab-packages" "$root" tinycdb >"$tmp/log" 2>&1; then
	ln -s "$root/usr/bin/cdb" "$tmp/bin/cdb"
fi
PATH=$tmp/bin:$PATH

# --- four mail servers ------------------------------------------------------------------------------
conf() { # conf MTA [LINE...]: $tmp/MTA.conf, whose rules are all the same files
	source_of main "file:$site" |
		configure "$1" "$tmp/state-$1" "$1" "$tmp/map-$1" "${@:2}" '[rules]' "file = $tmp/rules" "dir = $tmp/rules.d"
}
conf postfix 'dane = no' '[postfix]' 'format = plain'
conf texthash 'dane = no' '[postfix]' 'format = plain'
conf exim 'dane = yes'
conf opensmtpd
conf sendmail 'dane = no'
mtas=(postfix texthash exim opensmtpd sendmail)
update() { updater "$1"; } # update MTA
explain() { updater texthash explain "$1"; }
status() { updater texthash status; }
line() { # line DOMAIN: of the text map
	sed -n "s/^$1 //p" "$tmp/map-texthash"
}
is() { # is NAME WANT DOMAIN
	line "$3" >"$tmp/seen"
	if [ "$(cat "$tmp/seen")" = "$2" ]; then ok "$1"; else not_ok "$1 (want '$2')" "$tmp/seen"; fi
}
secure() { echo "secure match=$1 servername=hostname"; }

mkdir "$tmp/rules.d"
: >"$tmp/rules"
for mta in "${mtas[@]}"; do
	expect "$mta: the list without rules" 0 '' update "$mta"
done
is 'a listed domain is enforced' "$(secure mx.a.test)" a.test
is 'one in testing mode is not' '' t.test

# --- rules, and no network --------------------------------------------------------------------------
cat >"$tmp/rules" <<'END'
# Their new server has no certificate yet.
except a.test until 2026-11-25
except nobody.test
add mine.test mx *.mine.test mx.other.test
add b.test mx elsewhere.test
except bücher.test
early-adopter u.test
END
cat >"$tmp/rules.d/20-last.rules" <<'END'
add mine.test mx mx.mine.test
END
cat >"$tmp/rules.d/10-first.rules" <<'END'
add mine.test mx overridden.test
END
echo nonsense >"$tmp/rules.d/notes.txt"
without_network
for mta in "${mtas[@]}"; do
	expect "$mta: rules take effect without network" 3 'preload25-update: .*' update "$mta"
done
is 'an exception' '' a.test
is 'an addition, of the file read last' "$(secure mx.mine.test)" mine.test
is 'an addition in place of an entry' "$(secure elsewhere.test)" b.test
is 'an exception typed with umlaut' '' xn--bcher-kva.test
is 'an early adopter' "$(secure mx.u.test)" u.test
is 'who is none stays in testing mode' '' t.test
is 'and the others are as before' "$(secure mx.v1.test)" v1.test
# The same by the mail servers' own readers.
if command -v postmap >"$tmp/log"; then
	expect 'postmap: an exception' 1 '' postmap -q a.test "cdb:$tmp/map-postfix"
	expect 'postmap: an addition' 0 '' postmap -q mine.test "cdb:$tmp/map-postfix"
	says 'and its value' "$(secure mx.mine.test)"
	expect 'postmap: an early adopter' 0 '' postmap -q u.test "cdb:$tmp/map-postfix"
else
	skip 'postmap: not installed'
fi
if command -v cdb >"$tmp/log"; then
	expect 'exim: an exception' 100 '' cdb -q "$tmp/map-exim.cdb" a.test
	expect 'exim: an addition' 0 '' cdb -q "$tmp/map-exim.cdb" b.test
	says 'and its value' 'auth=pkix mx=^(elsewhere\.test)$'
else
	skip 'cdb: not installed'
fi
for mta in opensmtpd sendmail; do
	for domain in a.test mine.test; do
		updater "$mta" explain "$domain" >"$tmp/$mta-$domain" 2>&1
	done
	check "$mta: an exception" grep -q '^a.test: listed, but not enforced here' "$tmp/$mta-a.test"
	check "$mta: an addition" grep -q '^mine.test: mail only over verified TLS' "$tmp/$mta-mine.test"
done

# --- explain and status -----------------------------------------------------------------------------
expect 'explain an exception' 0 '' explain A.test.
says 'says that nothing is enforced' 'a.test: listed, but not enforced here'
says 'names the rule and its place' "rule         except a.test until 2026-11-25 ($tmp/rules:2)"
says 'and its end' 'runs out     2026-11-26T00:00:00Z (in 2 days)'
says 'and what it stands in the place of' 'instead of   list 1, mode enforce'
says 'and why' 'why          your exceptions go before additions and the list'
expect 'explain an addition' 0 '' explain mine.test
says 'names the one that counts' "rule         add mine.test auth pkix mx mx.mine.test ($tmp/rules.d/20-last.rules:1)"
expect 'explain a U-label' 0 '' explain BÜCHER.test
says 'by its A-label' "rule         except xn--bcher-kva.test ($tmp/rules:6)"
expect 'explain an early adopter' 0 '' explain u.test
says 'says what the list has' 'instead of   list 1, mode testing'
expect 'explain what nothing is about' 1 'nobody2.test: not listed [(]list 1[)]$' explain nobody2.test
expect 'explain an exception to nothing' 1 'nobody.test: not listed [(]list 1[)]; .*/rules:3 has no effect' \
	explain nobody.test
expect 'status' 0 '' status
says 'counts rules' 'your rules   3 exceptions, 2 additions, 1 early adopter'
says 'names the exception that runs out' 'except a.test until 2026-11-25: runs out 2026-11-26T00:00:00Z'
says 'counts what has no effect' '1 exception without effect: nothing is listed there'
says 'counts what is overridden' '2 made void by later ones'
says 'counts what is left out' 'left out     2 by your exceptions'

# --- preview ----------------------------------------------------------------------------------------
for domain in a.test b.test mine.test t.test u.test v1.test; do
	echo "Nov 23 11:00:00 mx postfix/smtp[9]: 4F1: to=<x@$domain>, relay=mx.${domain}[192.0.2.1]:25, delay=0.1," \
		"delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 ok)"
done >"$tmp/mail.log"
expect 'preview' 0 '' updater texthash preview --json "$tmp/mail.log"
check 'counts what the rules make of the list' \
	test "$(jq -c '.by_domain | keys' "$tmp/out")" = '["b.test","mine.test","u.test","v1.test"]'

# --- the last day is over ---------------------------------------------------------------------------
export PRELOAD25_NOW=2026-11-25T23:59:59Z
expect 'on its last day' 3 'preload25-update: .*' update texthash
is 'the exception holds' '' a.test
export PRELOAD25_NOW=2026-11-26T00:00:00Z
expect 'the day after' 3 'preload25-update: .*' update texthash
is 'it is over, without network' "$(secure mx.a.test)" a.test
expect 'explain it' 0 '' explain a.test
says 'says so' "run out      except a.test until 2026-11-25 ($tmp/rules:2)"

# --- a rule that is none ----------------------------------------------------------------------------
with_network
check 'a newer list' offer 2
cp "$tmp/map-texthash" "$tmp/map.before"
refused() { # refused NAME REGEX: the run ends with 2, and nothing is touched
	expect "$1" 2 "^preload25-update: $2" update texthash
	check "$1: the map stands" cmp "$tmp/map-texthash" "$tmp/map.before"
}
printf 'except b.test\nexcept a.test untill 2026-12-01\n' >"$tmp/rules.d/30-wrong.rules"
refused 'a wrong word' "$tmp/rules.d/30-wrong.rules:2: \"untill\""
expect 'status says it' 2 "$tmp/rules.d/30-wrong.rules:2" status
says 'and the rest' 'list         1 of'
printf 'except a.test\0\n' >"$tmp/rules.d/30-wrong.rules"
refused 'a NUL' "$tmp/rules.d/30-wrong.rules:1: NUL byte"
head -c 70000 /dev/zero | tr '\0' x >"$tmp/rules.d/30-wrong.rules"
refused 'a line without end' "$tmp/rules.d/30-wrong.rules:1: longer than 65536 octets"
head -c 67108865 /dev/zero | tr '\0' '\n' >"$tmp/rules.d/30-wrong.rules"
refused 'a file without end' "$tmp/rules.d/30-wrong.rules"
rm "$tmp/rules.d/30-wrong.rules"
mkdir "$tmp/rules.d/30-wrong.rules"
refused 'a folder' "$tmp/rules.d/30-wrong.rules"
rmdir "$tmp/rules.d/30-wrong.rules"
mv "$tmp/rules" "$tmp/rules.away"
refused 'a file that the configuration names, and is not there' "$tmp/rules"
mv "$tmp/rules.away" "$tmp/rules"
expect 'the newer list with good rules' 0 '' update texthash
is 'is installed under them' "$(secure elsewhere.test)" b.test
is 'and new' "$(secure mx.v2.test)" v2.test

# --- many -------------------------------------------------------------------------------------------
seq -f 'except d%06g.test' 100000 | shuf --random-source=<(yes) >"$tmp/rules.d/50-many.rules"
printf 'early-adopter all\n' >>"$tmp/rules.d/50-many.rules"
expect '100,000 rules' 0 '' timeout 60 preload25-update --config "$tmp/texthash.conf"
is 'and an early adopter of all' "$(secure mx.t.test)" t.test
: >"$tmp/rules"
rm "$tmp"/rules.d/*.rules
expect 'no rules any more' 0 '' update texthash
is 'the list alone' "$(secure mx.b.test)" b.test
is 'without additions' '' mine.test
is 'nor early adopters' '' t.test
finish
