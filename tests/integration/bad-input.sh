#!/bin/bash
# Bad input gets one clear line (what, where, why), the right exit code, and leaves every file as it was.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# digest DIR: of every file below, names and contents; SQLite's -wal and -shm come and go by reading.
digest() {
	(cd "$1" && find . -type f ! -name '*-wal' ! -name '*-shm' -print0 | sort -z | xargs -0 sha256sum)
}
# unchanged NAME CODE REGEX COMMAND...: expect, and the authority's files are as before.
unchanged() {
	digest "$auth" >"$tmp/before"
	expect "$@"
	digest "$auth" >"$tmp/after"
	if ! cmp -s "$tmp/before" "$tmp/after"; then
		diff "$tmp/before" "$tmp/after" >"$tmp/seen"
		not_ok "$1: files changed" "$tmp/seen"
	fi
}

# --- command lines --------------------------------------------------------------------------------
for program in preload25 preload25-update; do
	expect "$program: unknown command" 2 "^$program: .*(explian|statsu)" $program statsu
	expect "$program: unknown option" 2 "^$program: .*--frobnicate" $program --frobnicate
	expect "$program: --version" 0 '' $program --version
	expect "$program: --help" 0 '' $program --help
	expect "$program: a configuration that is not there" 2 "^$program: .*/nonexistent/x.conf" \
		$program --config /nonexistent/x.conf status
done
preload25 >"$tmp/out" 2>"$tmp/err" </dev/null
if [ $? -eq 2 ] && [ -s "$tmp/err" ] && [ ! -s "$tmp/out" ]; then
	ok 'preload25 without arguments: usage on standard error, exit 2'
else
	not_ok 'preload25 without arguments: usage on standard error, exit 2' "$tmp/err"
fi
for program in preload25 preload25-update; do
	PRELOAD25_NOW=2026-11-23T12:00:00Z $program --config /nonexistent/x.conf status 2>"$tmp/err"
	check "$program: a clock that stands is said" \
		grep -qE "^$program: (warning: )?the clock stands at 2026-11-23T12:00:00Z [(]PRELOAD25_NOW[)]\$" "$tmp/err"
done
expect 'check without a domain' 2 '^preload25: check: ' preload25 check
expect 'check of nothing' 1 '' preload25 check ''
expect 'remove without a reason' 2 '^preload25: .*--reason' preload25 remove example.org

# Colour is for terminals whose owner wants it.
: >"$tmp/bad"
[ "$(script -qec 'preload25 check localhost' /dev/null </dev/null | grep -c "$(printf '\033')")" -gt 0 ] ||
	echo 'none on a terminal' >>"$tmp/bad"
[ "$(NO_COLOR=1 script -qec 'preload25 check localhost' /dev/null </dev/null | grep -c "$(printf '\033')")" -eq 0 ] ||
	echo 'in spite of NO_COLOR' >>"$tmp/bad"
[ "$(preload25 check localhost | grep -c "$(printf '\033')")" -eq 0 ] || echo 'into a pipe' >>"$tmp/bad"
if [ -s "$tmp/bad" ]; then not_ok 'colour on a terminal only' "$tmp/bad"; else ok 'colour on a terminal only'; fi

# --- an authority ---------------------------------------------------------------------------------
auth=$tmp/auth
conf=$auth/preload25.conf
check 'init' preload25 init "$auth"
preload25 --config "$conf" stats >"$tmp/out" 2>&1
if [ "$(cat "$tmp/out")" = '0 domains
0 transitions, 0 pieces of evidence, 0 distinct policies' ]; then
	ok 'stats of nothing: no headings over nothing'
else
	not_ok 'stats of nothing: no headings over nothing' "$tmp/out"
fi
echo one.example.org | preload25 --config "$conf" import - >"$tmp/out" 2>&1
preload25 --config "$conf" status >>"$tmp/out" 2>&1
if grep -q '^1 new candidate,' "$tmp/out" && grep -q '^1 domain$' "$tmp/out"; then
	ok 'one domain is not called domains'
else
	not_ok 'one domain is not called domains' "$tmp/out"
fi
unchanged 'init in a directory that is not empty' 2 "^preload25: .*$auth" preload25 init "$auth"

# Configuration.
bad_conf() { # bad_conf NAME REGEX TEXT
	cp "$conf" "$tmp/bad.conf"
	printf '%b' "$3" >>"$tmp/bad.conf"
	expect "configuration: $1" 2 "^preload25: $tmp/bad.conf:[0-9]+: $2" \
		preload25 --config "$tmp/bad.conf" check example.org
}
bad_conf 'unknown key' 'unknown key forwrad' '[dns]\nforwrad = 127.0.0.1\n'
bad_conf 'unknown section' 'unknown section \[sotre\]' '[sotre]\nurl = x\n'
bad_conf 'number out of range' 'smtp_port = 99999' '[network]\nsmtp_port = 99999\n'
bad_conf 'not a line' 'neither' '[dns]\nforward\n'
bad_conf 'a NUL byte' 'NUL' '[dns]\nforward = a\0b\n'
bad_conf 'not a network' '.*10.0.0.0/99' '[network]\nallow = 10.0.0.0/99\n'
# Root reads everything: another user looks, with a copy of the program where that user may go.
open=$(mktemp -d "${TMPDIR:-/tmp}/preload25-open-XXXXXX")
cp "$B/preload25" "$open/"
cp "$conf" "$open/secret.conf"
chmod 755 "$open"
chmod 000 "$open/secret.conf"
as_nobody=
[ "$(id -u)" -ne 0 ] || as_nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
# shellcheck disable=SC2086 # a command and its options
expect 'configuration: not readable' 2 'secret.conf: Permission denied' \
	$as_nobody "$open/preload25" --config "$open/secret.conf" status
rm -rf "$open"

# Domains in an import: the good line is taken, each bad one is named.
long=$(printf 'a%.0s' $(seq 300))
printf 'good.example.org\ntrailing.example.org.\nwith space.example.org\nnul\0byte.example.org\n%s.org\n-x.example.org\n' \
	"$long" >"$tmp/mixed.txt"
preload25 --config "$conf" import "$tmp/mixed.txt" >"$tmp/out" 2>"$tmp/err"
rc=$?
cat "$tmp/out" "$tmp/err" >"$tmp/seen"
if [ "$rc" -eq 2 ] || [ "$rc" -eq 0 ]; then ok "import of a mixed file ends with a code of the table"; else
	not_ok 'import of a mixed file ends with a code of the table' "$tmp/seen"; fi
if [ "$rc" -eq 0 ]; then
	for line in 3 4 5 6; do
		if grep -qE "mixed.txt:$line: " "$tmp/err"; then ok "import names line $line"; else
			not_ok "import names line $line" "$tmp/seen"; fi
	done
fi
printf 'a,b\n"unclosed,x\n' >"$tmp/quotes.csv"
unchanged 'import: a CSV with an unclosed quote' 2 "^preload25: .*quotes.csv:2: " \
	preload25 --config "$conf" import "$tmp/quotes.csv"
printf 'name,domain\n"Smith, J.","quoted.example.org"\n"say ""hi""",plain.example.org\n' >"$tmp/good.csv"
expect 'import: a CSV with quotes and commas' 0 '' preload25 --config "$conf" import "$tmp/good.csv"
for d in quoted plain; do
	expect "imported: $d.example.org" 0 '' preload25 --config "$conf" status "$d.example.org"
done
printf '{"policies": {' >"$tmp/broken.json"
unchanged 'import: broken JSON' 2 '^preload25: .*broken.json' \
	preload25 --config "$conf" import "$tmp/broken.json"
unchanged 'import: a file that is not there' 2 '^preload25: .*/nonexistent' \
	preload25 --config "$conf" import /nonexistent
head -c 100000 /dev/zero >"$tmp/zeros"
unchanged 'import: a file of NULs' 2 '^preload25: .*zeros' preload25 --config "$conf" import "$tmp/zeros"
unchanged 'submit: a domain with a space' 2 '^preload25: ' preload25 --config "$conf" submit 'a b.example.org'
unchanged 'submit: 300 characters' 2 '^preload25: ' preload25 --config "$conf" submit "$long.org"
unchanged 'history of a domain nobody knows' 1 '' \
	preload25 --config "$conf" history unknown.example.org

# The database.
db=$(find "$auth" -name '*.db' | head -n 1)
newer=$tmp/newer
cp -r "$auth" "$newer"
python_free_pragma() { # sets SQLite's user_version (bytes 60 to 63 of the header) without sqlite3
	printf '\0\0\x7f\xff' | dd of="$1" bs=1 seek=60 conv=notrunc status=none
}
ndb=$newer/${db#"$auth"/}
rm -f "$ndb-wal" "$ndb-shm"
python_free_pragma "$ndb"
expect 'a database from a newer version' 2 '^preload25: .*newer' \
	preload25 --config "$newer/preload25.conf" status
head -c 8192 /dev/urandom >"$ndb"
expect 'a database that is none' 2 '^preload25: .*database' preload25 --config "$newer/preload25.conf" status

# Keys.
key=$(find "$auth" -name '*timestamp*.pem' | head -n 1)
cp "$key" "$tmp/key"
chmod 644 "$key"
unchanged 'a private key others can read' 4 '^preload25: .*timestamp.*chmod 600' preload25 --config "$conf" publish
expect 'submit of nothing' 2 '^preload25: DOMAIN: nothing was entered$' \
	preload25 --config "$conf" submit ''
check 'build needs no key' preload25 --config "$conf" build
check 'publish works with sound keys' sh -c "chmod 600 '$key' && preload25 --config '$conf' publish"
echo garbage >"$key"
chmod 600 "$key"
unchanged 'an unreadable key' 2 '^preload25: .*timestamp' preload25 --config "$conf" publish
cp "$tmp/key" "$key"
chmod 600 "$key"
check 'publish' preload25 --config "$conf" publish

# A repository that is not ours.
repo=$auth/repository
mv "$repo" "$tmp/repo"
git init -q "$repo"
unchanged 'a repository that is not ours' 2 "^preload25: .*$repo" preload25 --config "$conf" publish
rm -rf "$repo"
mv "$tmp/repo" "$repo"

# --- the updater ----------------------------------------------------------------------------------
root=$(find "$repo/metadata" -name '1.root.json')
cp "$root" "$tmp/root.json"
make_updater() { # make_updater REPOSITORY: configuration in $up/u.conf
	up=$tmp/up
	rm -rf "$up"
	mkdir -p "$up"
	cat >"$up/u.conf" <<-END
		[source]
		url = file:$1
		root = $tmp/root.json
		[state]
		dir = $up/state
		[install]
		mta = texthash
		path = $up/map
		reload = no
	END
}
make_updater "$repo"
check 'update from the repository' preload25-update --config "$up/u.conf"
expect 'both halves at once' 2 '^preload25-update: --fetch-only installs nothing' \
	preload25-update --config "$up/u.conf" --fetch-only --offline
expect 'a half without the other' 3 '^preload25-update: could not fetch: no run with --fetch-only' \
	preload25-update --config "$up/u.conf" --offline
expect 'update again: silent' 0 '' preload25-update --config "$up/u.conf"
[ -s "$tmp/out" ] && not_ok 'silent on success' "$tmp/out" || ok 'silent on success'
cp "$up/map" "$tmp/map"

altered=$tmp/altered
fresh_updater_refuses() { # NAME CODE REGEX: a first run against $altered; nothing may be installed
	make_updater "$altered"
	expect "$1" "$2" "$3" preload25-update --config "$up/u.conf"
	if [ -e "$up/map" ]; then not_ok "$1: a map was installed"; fi
}
cp -r "$repo" "$altered"
for f in "$altered"/targets/*.list.json*; do
	printf 'X' | dd of="$f" bs=1 seek=40 conv=notrunc status=none
done
fresh_updater_refuses 'a list with one byte changed' 4 '^preload25-update: .*list.json'
rm -rf "$altered"
cp -r "$repo" "$altered"
sed -i 's/"version": [0-9]*$/"version": 999/' "$altered/metadata/timestamp.json"
fresh_updater_refuses 'metadata with one byte changed' 4 '^preload25-update: .*timestamp'
make_updater "$repo"
expect 'expired metadata, first run' 4 '^preload25-update: .*expired' \
	env PRELOAD25_NOW=2040-01-01T00:00:00Z preload25-update --config "$up/u.conf"
expect 'a source that is not there' 3 '^preload25-update: ' \
	sh -c "sed -i 's|^url = .*|url = http://127.0.0.1:9/|' '$up/u.conf'; preload25-update --config '$up/u.conf'"
expect 'status before anything is installed' 1 '^preload25-update: ' preload25-update --config "$up/u.conf" status
sed -i 's|^mta = .*|mta = qmail|' "$up/u.conf"
expect 'an MTA that is not supported' 2 "^preload25-update: $up/u.conf:[0-9]+: .*qmail" \
	preload25-update --config "$up/u.conf"

# Interrupted at the keyboard: at once, with the exit code of that, and nothing half done.
# interrupted NAME COMMAND...: while it waits for what never comes.
interrupted() {
	local name=$1 rc=0
	shift
	timeout --preserve-status -s INT 1 "$@" >"$tmp/out" 2>&1 || rc=$?
	if [ "$rc" -eq 130 ]; then ok "$name"; else
		echo "exit $rc" >>"$tmp/out"
		not_ok "$name" "$tmp/out"
	fi
}
mkfifo "$tmp/fifo"
exec 7<>"$tmp/fifo"
echo half.example.org >&7
interrupted 'import, interrupted' preload25 --config "$conf" import "$tmp/fifo"
exec 7>&-
expect 'import, interrupted: took nothing' 1 '' preload25 --config "$conf" status half.example.org
make_updater "$repo"
mkdir -p "$tmp/endless/metadata"
mkfifo "$tmp/endless/metadata/2.root.json"
sed -i "s|^url = .*|url = file:$tmp/endless|" "$up/u.conf"
expect 'a source with a pipe in it: not waited for' 4 '2.root.json: not a file$' preload25-update --config "$up/u.conf"
make_updater "$repo"
rm "$tmp/endless/metadata/2.root.json"
echo x >"$tmp/endless/metadata/2.root.json"
echo '* stall' >"$tmp/stall"
mirror --root "$tmp/endless" --port-file "$tmp/port" --script "$tmp/stall" --log "$tmp/requests" &
check 'a mirror that stops in the middle' await exists "$tmp/port"
sed -i "s|^url = .*|url = http://127.0.0.1:$(cat "$tmp/port")/|" "$up/u.conf"
interrupted 'update, interrupted' preload25-update --config "$up/u.conf"
check 'update, interrupted: no map' test ! -e "$up/map"

# An older list than the one installed: keep the first state, publish again, go back.
cp -r "$repo" "$tmp/older"
check 'a second list' sh -c "preload25 --config '$conf' build && preload25 --config '$conf' publish"
make_updater "$repo"
check 'update to the second list' preload25-update --config "$up/u.conf"
# A list that is installed and expires, while nothing newer can be had.
cp -r "$up" "$tmp/up-before"
expect 'the installed list has expired' 5 '^preload25-update: .*expired' \
	env PRELOAD25_NOW="$(date -u -d '+60 days' +%FT%TZ)" preload25-update --config "$up/u.conf"
expect 'status says so' 5 '^preload25-update: .*expired' \
	env PRELOAD25_NOW="$(date -u -d '+60 days' +%FT%TZ)" preload25-update --config "$up/u.conf" status
rm -rf "$up"
mv "$tmp/up-before" "$up"
cp "$up/map" "$tmp/map"
sed -i "s|^url = .*|url = file:$tmp/older|" "$up/u.conf"
expect 'an older repository' 4 '^preload25-update: .*(older|rollback|back)' preload25-update --config "$up/u.conf"
check 'the installed map stands' cmp "$up/map" "$tmp/map"

# A full disk: a file system of one megabyte, if this machine lets us make one.
full=$tmp/full
mkdir "$full"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=1m tmpfs "$full" 2>/dev/null; then
	make_updater "$repo"
	cp "$up/u.conf" "$full/u.conf"
	sed -i "s|^dir = .*|dir = $full/state|; s|^path = .*|path = $full/map|" "$full/u.conf"
	check 'update on a small disk' preload25-update --config "$full/u.conf"
	cp "$full/map" "$tmp/map"
	rm -rf "$full/state"
	dd if=/dev/zero of="$full/filler" bs=4k status=none 2>/dev/null
	expect 'update on a full disk' 3 '^preload25-update: .*No space left' \
		preload25-update --config "$full/u.conf"
	check 'the map on the full disk stands' cmp "$full/map" "$tmp/map"
	rm -f "$full/filler"
	mkdir "$full/a"
	(cd "$auth" && tar -cf - .) | (cd "$full/a" && tar -xf - 2>/dev/null)
	dd if=/dev/zero of="$full/filler" bs=4k status=none 2>/dev/null
	seq -f 'd%g.example.org' 20000 >"$tmp/many.txt"
	expect 'import on a full disk' 3 '^preload25: .*(full|No space left)' \
		preload25 --config "$full/a/preload25.conf" import "$tmp/many.txt"
	umount "$full"
else
	skip 'full disk (needs root for a small file system)'
fi
finish
