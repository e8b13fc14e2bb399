#!/bin/bash
# overlays.sh: several lists, each of an authority of its own, one over the other: which entry counts, how far
# each is trusted, what one that is dead, rolled back, expired, unsound or braked does to the others, and the way back.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/integration/updater.bash
. "$top/tests/integration/updater.bash"

# shellcheck disable=SC2034 # tuf.bash's
timestamp_expires=2026-12-31T12:00:00Z

# --- three authorities ------------------------------------------------------------------------------
authorities main extra third
for a in main extra third; do new_site "$tmp/$a" "$tmp/$a.auth"; done
# Whom root becomes to fetch must get in.
chmod 711 "$tmp"
many() { # many PREFIX N: entries
	local i
	for ((i = 100; i < 100 + $2; i++)); do entry "$1$i.test" enforce "mx.$1.test"; echo; done
}
# offer AUTHORITY VERSION [TUF-VERSION] <ENTRIES, a line each, in any order
offer() {
	local keys=$tmp/$1.auth/keys
	sort | sed '$!s/$/,/' | whole "$2" >"$tmp/$1.list$2"
	publish "$tmp/$1" "${3:-$2}" "$tmp/$1.list$2"
}
main_entries() {
	entry a.test enforce mx.main.test; echo
	entry b.test enforce mx.main.test; echo
	entry short.test enforce mx.main.test 86400; echo
	entry tm.test testing mx.main.test; echo
	many m 40
}
extra_entries() {
	entry b.test enforce mx.extra.test; echo
	entry c.test enforce mx.extra.test; echo
	entry e.org enforce mx.extra.test; echo
	entry short.test enforce mx.extra.test; echo
	entry te.test testing mx.extra.test; echo
	many x 40
}
third_entries() {
	entry a.test enforce mx.third.test; echo
	entry d.test enforce mx.third.test; echo
	entry te.test enforce mx.third.test; echo
}
check 'the first list' offer main 1 < <(main_entries)
check 'the second list' offer extra 1 < <(extra_entries)
check 'the third list' offer third 1 < <(third_entries)

# --- configurations ---------------------------------------------------------------------------------
list_of() { source_of "$1" "file:$tmp/$1" "${@:2}"; } # list_of NAME [LINE...]
write_conf() { # write_conf <SOURCES
	configure u "$tmp/state" texthash "$tmp/map" 'dane = no' '[postfix]' 'format = plain' '[rules]' "file = $tmp/rules" \
		'[brake]' 'gone_min = 5' 'new_min = 50' '[metrics]' "textfile = $tmp/prom"
}
program() { updater u "$@"; }
update() { program "$@"; }
tells() { # tells NAME CODE TEXT COMMAND...: it prints that
	local name=$1 text=$3
	expect "$1" "$2" '' "${@:4}"
	says "$name: $text" "$text"
}
warns() { # warns NAME CODE REGEX COMMAND...: the last line of several on standard error
	local name=$1 code=$2 regex=$3 rc=0
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
	if [ "$rc" -eq "$code" ] && tail -n 1 "$tmp/err" | grep -qE "$regex"; then ok "$name"; else
		not_ok "$name (exit code $rc, want $code, '$regex')" "$tmp/err"
	fi
}
warned() { # warned NAME CODE TEXT COMMAND...: on standard error, among other things
	local name=$1 code=$2 text=$3 rc=0
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
	if [ "$rc" -eq "$code" ] && grep -qF -- "$text" "$tmp/err"; then ok "$name"; else
		not_ok "$name (exit code $rc, want $code, '$text')" "$tmp/err"
	fi
}
is() { # is NAME MX DOMAIN: of the map; MX '': no line
	sed -n "s/^$3 secure match=\([^ ]*\) .*/\1/p" "$tmp/map" >"$tmp/seen"
	if [ "$(cat "$tmp/seen")" = "$2" ]; then ok "$1"; else not_ok "$1 (want '$2')" "$tmp/seen"; fi
}
state_is() { # state_is NAME WANT JQ-FILTER: of status --json
	program status --json >"$tmp/json" 2>"$tmp/log"
	if [ "$(jq -c "$3" "$tmp/json")" = "$2" ]; then ok "$1"; else
		jq -c "$3" "$tmp/json" >"$tmp/seen"
		not_ok "$1 (want '$2')" "$tmp/seen"
	fi
}
: >"$tmp/rules"

# --- one list, then two -----------------------------------------------------------------------------
write_conf < <(list_of main)
expect 'one list' 0 '' update
is 'its entry' mx.main.test a.test
is 'and none of another' '' c.test
check 'the sentinel is its version' grep -qx 'serial.preload25.invalid 1' "$tmp/map"
write_conf < <(list_of main; list_of extra)
expect 'a second one' 0 '' update
is 'the first goes first' mx.main.test b.test
is 'what only the second has' mx.extra.test c.test
is 'testing mode in the second' '' te.test
grep 'serial.preload25.invalid' "$tmp/map" >"$tmp/sentinel.two"
check 'the sentinel is another' test "$(cat "$tmp/sentinel.two")" != 'serial.preload25.invalid 1'
expect 'no news' 0 '' update
warned '... which is said to whoever asks' 0 'preload25-update: extra: no news: list 1 stays' update --verbose
chmod 666 "$tmp/rules"
warned 'rules that everybody may change' 0 "$tmp/rules: everybody may change it" update
chmod 644 "$tmp/rules"
check 'no change' grep -qxF "$(cat "$tmp/sentinel.two")" "$tmp/map"
expect 'explain what both have' 0 '' program explain b.test
says 'the one that counts' 'list         1 of 2026-11-23T12:00:00Z'
says 'and its name' 'by test (main)'
says 'and the other' 'also in      list 1 (extra), mode enforce: goes behind'
expect 'explain what nobody has' 1 'nobody.test: not listed [(]lists 1 [(]main[)], 1 [(]extra[)][)]$' program explain nobody.test
expect 'status' 0 '' program status
says 'counts of the second' '45 entries, 42 enforced, 2 behind other lists'
state_is 'status --json has both' '[["main",1,43],["extra",1,42]]' '[.sources[] | [.name, .list.version, .enforced]]'
state_is 'and the first where it was' '[1,85]' '[.list.version, .map.entries]'
tells 'status --nagios' 0 'PRELOAD25 OK - lists 1 (main), 1 (extra), ' program status --nagios
says 'with figures of the second' ' expires_extra='
check 'metrics name each' grep -qx 'preload25_update_source_list_version{source="extra"} 1' "$tmp/prom"
check 'and have the old names' grep -qx 'preload25_update_list_version 1' "$tmp/prom"
tells 'verify the first' 0 'as signed by the authority of main' program verify "$tmp/main.list1"
tells 'verify the second' 0 'as signed by the authority of extra' program verify "$tmp/extra.list1"
expect 'verify a stranger' 4 'not a list that an authority of yours has signed' program verify "$tmp/third.list1"

# --- order, trust, domains --------------------------------------------------------------------------
write_conf < <(list_of main; list_of third; list_of extra)
expect 'a third in between' 0 '' update
is 'in its place' mx.third.test te.test
is 'still behind the first' mx.main.test a.test
write_conf < <(list_of main; list_of extra; list_of third)
expect 'another order' 0 '' update
is 'makes another map' '' te.test
write_conf < <(list_of main; list_of extra 'trust = early-adopter'; list_of third)
expect 'an early adopter of one list' 0 '' update
is 'takes its testing mode for enforce' mx.extra.test te.test
is 'and not that of others' '' tm.test
expect 'explain it' 0 '' program explain te.test
says 'says why' 'why          its list has trust = early-adopter: testing counts as enforce'
write_conf < <(list_of main; list_of third 'trust = testing'; list_of extra)
expect 'a list that is only tested' 0 '' update
is 'makes no lines' '' d.test
is 'and takes none away' mx.main.test a.test
is 'nor keeps back what stands behind it' mx.extra.test c.test
tells 'explain one of it' 0 'd.test: listed, but not enforced here' program explain d.test
says 'says why' 'none: only a list has it that is being tested here'
tells 'status counts it' 0 'left out     1 of lists that are only tested here' program status
echo 'Nov 23 11:00:00 mx postfix/smtp[9]: 4F1: to=<x@d.test>, relay=mx.third.test[192.0.2.1]:25, delay=0.1,' \
	'delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 ok)' >"$tmp/mail.log"
tells 'preview shows it' 0 'on a list that is being tested here' program preview "$tmp/mail.log"
tells 'stats does not' 0 'to 0 domains of lists 1 (main), 1 (third), 1 (extra)' program stats "$tmp/mail.log"
echo 'early-adopter all' >"$tmp/rules"
expect 'early adopter of all' 0 '' update
is 'is of what lists say' mx.main.test tm.test
is 'not of a list that is only tested' '' d.test
echo 'early-adopter d.test' >"$tmp/rules"
expect 'early adopter of one domain' 0 '' update
is 'lifts that one' mx.third.test d.test
printf 'except b.test\nadd c.test mx mine.test\n' >"$tmp/rules"
expect 'exceptions and additions' 0 '' update
is 'go before all lists' '' b.test
is 'go before all lists' mine.test c.test
: >"$tmp/rules"
write_conf < <(list_of main; list_of extra 'domains = org' 'domains = c.test')
expect 'a list for some domains' 0 'source third is not configured any more' update
check 'and what was trusted of the third is gone' test ! -e "$tmp/state/sources/third"
is 'one that it is trusted for' mx.extra.test c.test
is 'one below' mx.extra.test e.org
is 'one that it is not' '' x100.test
tells 'explain that' 0 'x100.test: listed, but not enforced here' program explain x100.test
says 'says why' 'none: only a list has it that is not trusted for this domain'
tells 'status counts them' 0 'for domains that it is not trusted for' program status

# --- what runs out in the first is taken from the second ------------------------------------------------
write_conf < <(list_of main; list_of extra)
expect 'both again' 0 '' update
is 'while it is in force' mx.main.test short.test
export PRELOAD25_NOW=2026-11-24T13:00:00Z
mv "$tmp/main" "$tmp/main.away"
mv "$tmp/extra" "$tmp/extra.away"
warns 'a day later, without network' 3 '^preload25-update: main: ' update
is 'the second stands in' mx.extra.test short.test
write_conf < <(list_of main; list_of extra 'trust = testing')
warns 'with the second only tested' 3 '^preload25-update: main: ' update
is 'nothing does' '' short.test
echo 'early-adopter short.test' >"$tmp/rules"
warns 'but by a rule' 3 '^preload25-update: main: ' update
is 'it does' mx.extra.test short.test
: >"$tmp/rules"
write_conf < <(list_of main; list_of extra)
export PRELOAD25_NOW=$start
mv "$tmp/main.away" "$tmp/main"
expect 'the clock is set back' 3 '^preload25-update: extra: ' update
is 'the first again' mx.main.test short.test

# --- one that is dead -------------------------------------------------------------------------------
check 'the first has news' offer main 2 < <(main_entries; entry new2.test enforce mx.main.test; echo)
expect 'the second is dead' 3 '^preload25-update: extra: ' update
is 'the first is taken' mx.main.test new2.test
is 'and nothing of the second is lost' mx.extra.test c.test
state_is 'its trouble is known' 'true' '.sources[1].trouble != null'
tells 'status says it' 0 'trouble since' program status
mv "$tmp/extra.away" "$tmp/extra"

# --- one that is rolled back, with another's news ------------------------------------------------------
cp -r "$tmp/extra" "$tmp/extra.1"
check 'the second has news' offer extra 2 < <(extra_entries; entry new-x.test enforce mx.extra.test; echo)
expect 'both are well' 0 '' update
is 'it is taken' mx.extra.test new-x.test
state_is 'no trouble' 'true' '.sources[1].trouble == null'
mv "$tmp/extra" "$tmp/extra.2"
mv "$tmp/extra.1" "$tmp/extra"
check 'the first has news' offer main 3 < <(main_entries; entry new3.test enforce mx.main.test; echo)
expect 'the second is rolled back' 4 '^preload25-update: extra: .*roll' update
is 'the first is taken' mx.main.test new3.test
is 'nothing of the second is lost' mx.extra.test new-x.test
rm -rf "$tmp/extra"
mv "$tmp/extra.2" "$tmp/extra"
tells 'status --nagios' 2 'PRELOAD25 CRITICAL - the last run: extra: ' program status --nagios

# --- one that is not sound -----------------------------------------------------------------------------
cp -r "$tmp/extra" "$tmp/extra.2"
unsound() {
	local keys=$tmp/extra.auth/keys
	{ extra_entries; echo '"z.test":nonsense'; } | sort | sed '$!s/$/,/' | whole 3 >"$tmp/extra.list3"
	publish "$tmp/extra" 3 "$tmp/extra.list3"
}
check 'the second signs nonsense' unsound
check 'the first has news' offer main 4 < <(main_entries; entry new4.test enforce mx.main.test; echo)
expect 'nonsense' 4 '^preload25-update: extra: list.json is signed, but not sound' update
is 'the first is taken' mx.main.test new4.test
is 'nothing of the second is lost' mx.extra.test new-x.test

# --- the brake, by each list alone --------------------------------------------------------------------------
check 'the second drops a quarter of its own' offer extra 4 < <(extra_entries | grep -v x10)
check 'the first has news' offer main 5 < <(main_entries; entry new5.test enforce mx.main.test; echo)
expect 'the brake' 1 '^preload25-update: extra: brake: list 4 would drop 11 of ' update
is 'the first is taken' mx.main.test new5.test
is 'the second keeps all' mx.x.test x100.test
expect 'by hand' 0 '' update --allow-churn
is 'it is taken' '' x100.test

# --- an undo that fails ---------------------------------------------------------------------------------------
mkdir "$tmp/aside"
mv "$tmp/map" "$tmp/aside"
mkdir -p "$tmp/map/x"
warns 'where the map cannot be put, undo fails' 2 'cannot rename into place' program undo
rm -r "$tmp/map"
mv "$tmp/aside/map" "$tmp/map"
expect 'a run after that' 0 '' update
is 'does not end it' '' x100.test
state_is 'and what can be undone is as before' 3 .undo_steps

# --- undo, and undo, and on again ------------------------------------------------------------------------------
state_is 'so far one can go back' 3 .undo_steps
tells 'status says to what' 0 'undo         goes back to lists 5 (main), 2 (extra), and can do so 3 times' program status
tells 'undo' 0 'list 2 (extra) is in force again in place of 4; what was is not taken any more' program undo
is 'the second as it was' mx.x.test x100.test
is 'the first as it is' mx.main.test new5.test
tells 'undo again' 0 'list 4 (main) is in force again in place of 5; ' program undo
is 'the first as it was' '' new5.test
is 'the one before' mx.main.test new4.test
expect 'what was undone' 0 '' update
is 'does not come back' '' new5.test
is 'of neither' mx.x.test x100.test
state_is 'one step is left' 1 .undo_steps
check 'the first has a newer one' offer main 6 < <(main_entries; entry new6.test enforce mx.main.test; echo)
expect 'the newer one' 0 '' update
is 'is taken' mx.main.test new6.test
is 'and the other stays undone' mx.x.test x100.test
state_is 'as is said' '[false,true]' '[.sources[].undone]'
expect 'by hand, which names it' 0 'extra: the list that was undone by hand is taken again: --allow-churn is for all lists$' update --allow-churn
is 'it comes back' '' x100.test
state_is 'and is not undone any more' '[false,false]' '[.sources[].undone]'
sed -i 's/^mta = /keep = 1\n&/' "$tmp/u.conf"
check 'one more' offer main 7 < <(main_entries; entry new7.test enforce mx.main.test; echo)
expect 'with one step kept' 0 '' update
state_is 'so it is' 1 .undo_steps
check 'and no list is left that nothing needs' test "$(ls "$tmp/state"/list-*.json | wc -l)" -le 3
tells 'back' 0 'list 6 (main)' program undo
expect 'and no further' 1 'there is no earlier list' program undo

# --- under another root ---------------------------------------------------------------------------------------
other_main() {
	cp "$tmp/third.auth/root.json" "$tmp/main.root"
	mv "$tmp/main" "$tmp/main.first"
	cp -r "$tmp/third" "$tmp/main"
}
first_main() {
	rm -rf "$tmp/main"
	mv "$tmp/main.first" "$tmp/main"
	cp "$tmp/main.auth/root.json" "$tmp/main.root"
}
other_main
expect 'another authority is trusted' 0 'another root than before' update --allow-churn
is 'its list is taken' mx.third.test d.test
expect 'undo does not bring back what the other one has signed' 1 \
	'list 6 .main. was taken under another root file than the one that is trusted now' program undo
program status >"$tmp/out"
if grep -q '^undo  *goes back' "$tmp/out"; then not_ok 'nor does status promise it' "$tmp/out"; else ok 'nor does status promise it'; fi
is 'the map stands' mx.third.test d.test
first_main
expect 'the other way round' 0 'another root than before' update --allow-churn
is 'the first again' mx.main.test new7.test
expect 'no way back either' 1 'was taken under another root file' program undo

# --- a damaged list of one ------------------------------------------------------------------------------------
sum=$(sha256sum <"$tmp/extra.list4" | cut -d' ' -f1)
echo x >>"$tmp/state/list-$sum.json"
mv "$tmp/extra" "$tmp/extra.away"
echo 'except a.test' >"$tmp/rules"
cp "$tmp/map" "$tmp/map.before"
warns 'the list of extra is damaged here and cannot be had' 3 '^preload25-update: extra: ' update
check 'the map stands' cmp "$tmp/map" "$tmp/map.before"
mv "$tmp/extra.away" "$tmp/extra"
expect 'it can be had again' 0 '' update
is 'the rule is in force' '' a.test
is 'and its lines are there' mx.extra.test c.test
: >"$tmp/rules"

# --- one that expires --------------------------------------------------------------------------------------------
list_expires=2027-06-01T00:00:00Z
check 'the first lives longer' offer main 8 < <(main_entries)
expect 'it is taken' 0 '' update
export PRELOAD25_NOW=2026-12-08T00:00:00Z
expect 'the second has expired' 5 '^preload25-update: extra: the installed list 4 has expired' update
expect 'status tells' 5 'extra: the installed list 4 has expired' program status
tells 'status --nagios' 2 'extra: list 4 has expired' program status --nagios
is 'its entries go on as long as they last' mx.extra.test c.test
mv "$tmp/extra.root" "$tmp/extra.root.away"
expect 'without its root file that is told, too' 2 \
	'extra: the installed list 4 has expired .*: .*extra.root: No such file' update
mv "$tmp/extra.root.away" "$tmp/extra.root"
export PRELOAD25_NOW=$start

# --- in two halves --------------------------------------------------------------------------------------------
check 'both have news' offer main 9 < <(main_entries; entry new9.test enforce mx.main.test; echo)
check 'both have news' offer extra 5 < <(extra_entries; entry new5x.test enforce mx.extra.test; echo)
expect 'fetch both' 0 '' update --fetch-only
mv "$tmp/main" "$tmp/main.away"
mv "$tmp/extra" "$tmp/extra.away"
expect 'install both, without mirrors' 0 '' update --offline --allow-churn
is 'the first' mx.main.test new9.test
is 'the second' mx.extra.test new5x.test
mv "$tmp/main.away" "$tmp/main"
check 'the first has news' offer main 10 < <(main_entries; entry new10.test enforce mx.main.test; echo)
expect 'the second cannot be fetched' 3 '^preload25-update: extra: ' update --fetch-only
expect 'which is told by who installs' 3 '^preload25-update: extra: could not fetch' update --offline
is 'the first is taken' mx.main.test new10.test
is 'nothing of the second is lost' mx.extra.test new5x.test
mv "$tmp/extra.away" "$tmp/extra"
expect 'both are fetched again' 0 '' update --fetch-only
expect 'and all is well' 0 '' update --offline

# --- who fetches may be silent, or lie: who installs is as loud as one process would be ----------------------------
incoming=$tmp/state/incoming
record() { # record FILTER: what stands in the record of the first list
	jq -c "$1" "$incoming/main/record.json" >"$tmp/record" && cat "$tmp/record" >"$incoming/main/record.json"
}
expect 'once more by hand' 0 '' update --offline
export PRELOAD25_NOW=2026-11-23T16:00:00Z
chmod 0 "$incoming/.lock"
expect 'four hours later who fetches cannot begin' 2 'incoming/.lock' update --fetch-only
warns 'who installs notices' 3 '^preload25-update: main: could not fetch: no fetching run has begun since' update --offline
says_status=$(jq -r .last_error "$tmp/state/state.json")
check 'the state has it' test "${says_status#main: could not fetch: no fetching run}" != "$says_status"
check 'the metrics have it' grep -q '^preload25_update_last_exit_code 3$' "$tmp/prom"
chmod 600 "$incoming/.lock"
expect 'it can again' 0 '' update --fetch-only
expect 'and all is well again' 0 '' update --offline

check 'a list for the brake' offer main 11 < <(entry a.test enforce mx.main.test; echo; many m 20)
expect 'it is fetched' 0 '' update --fetch-only
expect 'and stopped' 1 '^preload25-update: main: brake' update --offline
cp "$tmp/main/metadata/timestamp.json" "$tmp/timestamp"
sed -i 's/"sig": *"...../"sig":"00000/' "$tmp/main/metadata/timestamp.json"
expect 'a bad signature' 4 '^preload25-update: main: ' update --fetch-only
expect 'is more than the brake' 4 '^preload25-update: main: could not fetch: "' update --offline
tells 'status --nagios' 2 'main: could not fetch:' program status --nagios
cp "$tmp/timestamp" "$tmp/main/metadata/timestamp.json"
check 'a list that may come' offer main 12 < <(main_entries; entry new12.test enforce mx.main.test; echo)
expect 'it is fetched' 0 '' update --fetch-only
expect 'and taken' 0 '' update --offline

record '.outcome = "configuration" | .why = "all is well, \"do not look"'
expect 'its own word is quoted' 2 "main: could not fetch: \"all is well, 'do not look\"\$" update --offline
echo x >>"$incoming/main/repository/metadata/timestamp.json"
warns 'and less than what is seen' 4 '^preload25-update: main: .*repository/metadata/timestamp.json: ' update --offline
tells 'status --nagios' 2 'timestamp.json' program status --nagios
expect 'it is mended' 0 '' update --fetch-only
expect 'and all is well once more' 0 '' update --offline

cp "$tmp/main.root" "$tmp/root.away"
cp "$tmp/third.root" "$tmp/main.root"
mv "$tmp/main" "$tmp/main.away"
expect 'another root file, and nothing to be had by it' 3 '^preload25-update: main: file:' update --fetch-only
warns 'what was fetched by the old one is no attack' 3 '^preload25-update: main: could not fetch: "file:' update --offline
cp "$tmp/root.away" "$tmp/main.root"
mv "$tmp/main.away" "$tmp/main"
expect 'the old one again' 0 '' update --fetch-only
expect 'is as good as ever' 0 '' update --offline

cp -a "$tmp/state" "$tmp/state.before"
cp "$tmp/map" "$tmp/map.before"
export PRELOAD25_NOW=2027-01-01T00:00:00Z
record ".began = $(date -d "$PRELOAD25_NOW" +%s) | .ended = .began | .mirror = 1 | .outcome = \"none\" | .why = \"\""
warns 'a word that there is no news ends with what is known' 4 '^preload25-update: main: freeze' update --offline
tells 'status --nagios' 2 'main: freeze' program status --nagios
rm -rf "$tmp/state"
mv "$tmp/state.before" "$tmp/state"
cp "$tmp/map.before" "$tmp/map"
export PRELOAD25_NOW=$start

# --- a run without one, killed or not ----------------------------------------------------------------------------
write_conf < <(list_of main)
warned 'one list again' 0 'source extra is not configured any more' update
is 'without the other' '' c.test
check 'the sentinel is its version again' grep -qx 'serial.preload25.invalid 12' "$tmp/map"
write_conf < <(list_of main; echo '[source lock]'; list_of extra | tail -n +2)
expect 'a source may be called anything' 0 '' update --fetch-only
expect 'so it may' 0 '' update --offline
is 'and is taken' mx.extra.test c.test
write_conf < <(list_of main)
warned 'until it goes' 0 'source lock is not configured any more' update
expect 'it is not fetched any more' 0 '' update --fetch-only
check 'nor kept where it was fetched' test ! -e "$tmp/state/incoming/extra"
check 'nothing is left of the other' test ! -e "$tmp/state/list-$sum.json"
write_conf < <(list_of main; list_of extra)
mv "$tmp/main" "$tmp/main.away"
expect 'the second comes while the first is dead' 3 '^preload25-update: main: ' update
is 'and is taken' mx.extra.test c.test
mv "$tmp/main.away" "$tmp/main"

# --- report-only, and a new machine ------------------------------------------------------------------------------
rm -rf "$tmp/state" "$tmp/map"
mv "$tmp/main" "$tmp/main.away"
expect 'the first is dead from the beginning' 3 '^preload25-update: main: ' update
is 'the second is installed' mx.extra.test c.test
tells 'status knows' 0 'list         none (main)' program status
program status --nagios >"$tmp/out"
if grep -q '| age=\| expires=' "$tmp/out"; then not_ok 'no figures of the one that is not there' "$tmp/out"; else
	ok 'no figures of the one that is not there'
fi
mv "$tmp/main.away" "$tmp/main"
expect 'it comes' 0 '' update
is 'and goes first' mx.main.test b.test
rm -rf "$tmp/state" "$tmp/map"
sed -i 's/^mta = /mode = report-only\n&/' "$tmp/u.conf"
warns 'report-only' 0 '' update
check 'makes no map' test ! -e "$tmp/map"
tells 'and has both' 0 'lists 12 (main), 5 (extra)' program status --nagios
rm -rf "$tmp/state"
sed -i 's/^mode = .*//' "$tmp/u.conf"
warns 'a dry run' 0 'would be installed: lists 12 [(]main[)], 5 [(]extra[)]' update --dry-run
check 'makes no map' test ! -e "$tmp/map"

# --- what is only tested in the first runs out, and another's counts ----------------------------------------------
anew() { # anew: no list was ever had, and nobody has one
	local a
	export PRELOAD25_NOW=$start
	rm -rf "$tmp/state" "$tmp/map"
	for a in main extra; do
		rm -rf "${tmp:?}/$a"
		new_site "$tmp/$a" "$tmp/$a.auth"
	done
}
anew
check 'the first only tests one, for a day' offer main 1 < <(
	main_entries | grep -v short; entry c.test testing mx.main.test 86400; echo)
check 'the second enforces it' offer extra 1 < <(extra_entries)
expect 'both' 0 '' update
is 'the first goes first' '' c.test
export PRELOAD25_NOW=2026-11-24T13:00:00Z
expect 'when it has run out' 0 '' update
is 'the second counts' mx.extra.test c.test

# --- the brake, by all lists together -------------------------------------------------------------------------
is_lines() { # is_lines NAME N: of the map, without the sentinel
	if [ "$(grep -c ' secure ' "$tmp/map")" -eq "$2" ]; then ok "$1"; else not_ok "$1 (want $2)" "$tmp/map"; fi
}
hides() { # hides N [MODE]: entries that hide N of the second list, and have no line
	local i
	for ((i = 100; i < 100 + $1; i++)); do entry "x$i.test" testing mx.main.test; echo; done
}
anew
check 'the first' offer main 1 < <(main_entries)
check 'the second' offer extra 1 < <(extra_entries)
expect 'both' 0 '' update
is_lines 'have so many lines' 85
check 'the first hides the second' offer main 2 < <(main_entries; hides 40)
expect 'which the brake sees' 1 \
	'^preload25-update: main: brake: list 2 would drop 40 of 85 domains of all lists together; ' update
is_lines 'and nothing is lost' 85
state_is 'it waits' '[1,1]' '[.sources[].list.version]'
check 'the second has news' offer extra 2 < <(extra_entries; entry new-x.test enforce mx.extra.test; echo)
expect 'the second is judged by itself' 1 '^preload25-update: main: brake: list 2 would drop 40 of 85 ' update
is 'and taken' mx.extra.test new-x.test
is_lines 'and nothing is lost' 86
check 'the first hides a few, and two more are new' offer main 3 < <(
	main_entries; hides 5; entry n1.test enforce mx.n.test; echo; entry n2.test enforce mx.n.test; echo)
expect 'which may be' 0 '' update
is_lines 'so it is done' 83
check 'a domain goes from the second' offer extra 3 < <(extra_entries | grep -v 'x1[12]')
check 'to the first' offer main 4 < <(main_entries; extra_entries | grep 'x1[12]')
expect 'by itself each must not go so far' 1 '^preload25-update: extra: brake: list 3 would drop 21 of ' update
is_lines 'the first is taken' 86
expect 'by hand' 0 '' update --allow-churn
is_lines 'both are' 85
check 'the first hides the second again' offer main 5 < <(main_entries; hides 40)
expect 'by hand' 0 '' update --allow-churn
is_lines 'it may' 45
tells 'undo asks no brake' 0 'list 4 (main) is in force again in place of 5' program undo
is_lines 'and all are back' 85

# --- the lines of what is not configured any more -----------------------------------------------------------------
anew
check 'the first' offer main 1 < <(main_entries)
check 'the second' offer extra 1 < <(extra_entries)
expect 'both' 0 '' update
mv "$tmp/extra" "$tmp/extra.away"
write_conf < <(list_of main; list_of extra | sed 's/source extra/source other/')
warned 'one is renamed, and dead' 3 "map: 42 of 85 lines go, since lists are not configured any more" update
is_lines 'they are gone' 43
warned 'it is said once' 3 'other: ' update
check 'and no more' test "$(grep -c 'lines go' "$tmp/err")" -eq 0
mv "$tmp/extra.away" "$tmp/extra"
expect 'it is back' 0 '' update
is_lines 'with its lines' 85
write_conf < <(list_of main)
warned 'a dry run' 0 'map: 42 of 85 lines would go, since lists are not configured any more' update --dry-run
warned 'one is removed' 0 'map: 42 of 85 lines go, since lists are not configured any more' update
is_lines 'and its lines' 43

# --- what is no configuration -------------------------------------------------------------------------------------
refused() { # refused REGEX LINE...
	write_conf < <(list_of main; shift; printf '%s\n' "$@")
	expect "refused: $1" 2 "$1" update
}
refused 'unknown section .sources x.' '[sources x]' 'url = file:/x'
refused "u.conf:5: section .source Main." '[source Main]' 'url = file:/x'
refused 'u.conf:8: section .source x. is given twice .first at .*u.conf:4.' '[source x]' 'url = file:/x' 'root = /x' \
	'[source x]' 'url = file:/y'
write_conf < <(list_of extra)
expect 'no first list' 2 'u.conf:2: .source extra. is for one more list, and .source., the first, has no url' update
refused 'main is what .source. is called' '[source main]' 'url = file:/x'
refused '.source x. has no root' '[source x]' 'url = file:/x'
refused '.source x. has no url' '[source x]' 'root = /x'
refused 'u.conf:7: trust = much: neither' '[source x]' 'url = file:/x' 'root = /x' 'trust = much'
refused 'u.conf:7: domains = .org: not a domain' '[source x]' 'url = file:/x' 'root = /x' 'domains = .org'
finish
