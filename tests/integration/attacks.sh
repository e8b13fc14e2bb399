#!/bin/bash
# What mirrors and thieves can do to an updater: each attack ends with an exit code and one line that
# names it, the old map answers as before, and an honest mirror is believed again afterwards.
#
# The authority's keys and root come from preload25 init; what it publishes is put together here, so that
# it can be wrong in any way and signed all the same.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/integration/updater.bash
. "$top/tests/integration/updater.bash"

timestamp_expires=2026-11-25T12:00:00Z
authorities main other
keys=$tmp/main.auth/keys

# --- making repositories ----------------------------------------------------------------------------
# list VERSION DOMAIN...: a whole list.
list() {
	local version=$1 d entries=()
	shift
	for d; do entries+=("$(entry "$d")"); done
	lines "${entries[@]}" | whole "$version"
}
# next_root SITE VERSION FILTER KEY...: the root before it with a change, signed.
next_root() {
	local site=$1 version=$2 filter=$3
	shift 3
	jq -c --argjson v "$version" ".signed | .version = \$v | $filter" "$site/metadata/$((version - 1)).root.json" |
		tuf_sign "$@" >"$site/metadata/$version.root.json"
}

for n in 4 5 6; do
	list "$n" a.test b.test "v$n.test" >"$tmp/list$n"
	zstd -q -19 -f "$tmp/list$n" -o "$tmp/list$n.zst"
	new_site "$tmp/s$n" "$tmp/main.auth"
	publish "$tmp/s$n" "$n" "$tmp/list$n" "$tmp/list$n.zst"
done

# --- the mirror and its client ----------------------------------------------------------------------
mkdir "$tmp/www"
mirror --root "$tmp/www" --port-file "$tmp/port" --script "$tmp/script" --log "$tmp/requests" &
mirror=$!
disown
trap 'kill "$mirror"; rm -rf "$tmp"' EXIT
await exists "$tmp/port" || { not_ok 'the mirror starts'; finish; }
source_of main "http://127.0.0.1:$(cat "$tmp/port")" 'timeout = 600' 'low_speed_time = 300' |
	configure u "$tmp/client/state" texthash "$tmp/client/map" 'reload = no'
serve() { # SITE [SCRIPT-LINE...]
	rm -rf "$tmp/www"
	cp -r "$1" "$tmp/www"
	shift
	printf '%s\n' "$@" >"$tmp/script"
}
update() { updater u; }
# Who is patient waits for a mirror on a busy machine; who is not is for mirrors that are slow without end.
sed 's/^low_speed_time = .*/low_speed_time = 2/' "$tmp/u.conf" >"$tmp/hasty.conf"
hasty() { updater hasty; }
# client SITE: a new client that has what is published there.
client() {
	rm -rf "$tmp/client"
	mkdir "$tmp/client"
	serve "$1"
	update >"$tmp/log" 2>&1 || not_ok 'a client to be attacked' "$tmp/log"
	cp "$tmp/client/map" "$tmp/map.before"
}
# attack NAME CODE REGEX [COMMAND]: what is served now, against the client. It keeps what was proved before the
# attack was seen, so that another attack with other files of the same version wants a new client.
attack() {
	expect "$1" "$2" "$3" "${4:-update}"
	if cmp -s "$tmp/map.before" "$tmp/client/map"; then ok '... and the old map is in force'; else
		diff "$tmp/map.before" "$tmp/client/map" >"$tmp/seen"
		not_ok "$1: the old map is in force" "$tmp/seen"
	fi
}
# honest SITE: it is believed again.
honest() {
	serve "$1"
	expect '... and an honest mirror is believed again' 0 '' update
}

client "$tmp/s5"
check 'the client has list 5' grep -q '^v5.test ' "$tmp/client/map"
honest "$tmp/s6"
check 'and takes list 6' grep -q '^v6.test ' "$tmp/client/map"

# --- mirrors ----------------------------------------------------------------------------------------
client "$tmp/s5"
serve "$tmp/s4"
attack 'an older list' 4 'rollback: version 4 is older than 5'
honest "$tmp/s6"

client "$tmp/s5"
PRELOAD25_NOW=2026-11-26T12:00:00Z
attack 'frozen at one list' 4 'freeze, or this clock is wrong: timestamp\.json: version 5 has expired'
PRELOAD25_NOW=$start
honest "$tmp/s6"

client "$tmp/s5"
serve "$tmp/s6" "metadata/6.snapshot.json file metadata/5.snapshot.json"
cp "$tmp/s5"/metadata/5.* "$tmp/www/metadata/"
attack 'a new timestamp with an old snapshot' 4 '6\.snapshot\.json: mix of versions, or altered: '
serve "$tmp/s6" "metadata/6.targets.json file metadata/5.targets.json"
cp "$tmp/s5"/metadata/5.* "$tmp/www/metadata/"
attack 'a new snapshot with old targets' 4 '6\.targets\.json: mix of versions, or altered: '
serve "$tmp/s6" "targets/*.list.json.zst file targets/old"
cp "$tmp/list5.zst" "$tmp/www/targets/old"
attack 'new metadata with an old list' 4 'list\.json\.zst: .*(bytes|SHA-256)'
honest "$tmp/s6"

client "$tmp/s5"
for file in 2.root.json timestamp.json 6.snapshot.json 6.targets.json; do
	serve "$tmp/s6" "metadata/$file endless"
	attack "$file without end" 4 "$file: (larger than [0-9]+ bytes|more bytes than)"
done
serve "$tmp/s6" 'targets/* endless'
attack 'a list without end' 4 'list\.json\.zst: more bytes than'
for file in metadata/timestamp.json metadata/6.targets.json 'targets/*'; do
	client "$tmp/s5"
	serve "$tmp/s6" "$file drip"
	attack "${file#*/}, slowly" 3 'too slow' hasty
done
client "$tmp/s5"
serve "$tmp/s6" 'metadata/timestamp.json stall'
attack 'a mirror that stops in the middle' 3 'too slow' hasty
honest "$tmp/s6"

client "$tmp/s5"
for file in metadata/timestamp.json metadata/6.snapshot.json metadata/6.targets.json 'targets/*.list.json.zst'; do
	serve "$tmp/s6" "$file cut 100"
	attack "${file#*/} cut off" 3 '(closed|outstanding|transfer)'
	serve "$tmp/s6" "$file short 100"
	attack "${file#*/} made short" 4 "(premature end of input|100 bytes, announced)"
done
honest "$tmp/s6"

# One octet changed, at many places of each file; the roots and the unpacked list as well.
rotated=$tmp/rotated
new_site "$rotated" "$tmp/main.auth"
next_root "$rotated" 2 . "$keys/root.pem"
publish "$rotated" 6 "$tmp/list6"
client "$tmp/s5"
for file in 2.root.json timestamp.json 6.snapshot.json 6.targets.json list.json; do
	dir=metadata
	[ "$file" != list.json ] || dir=targets
	size=$(stat -c %s "$rotated/$dir"/*"$file" | head -n 1)
	: >"$tmp/bad"
	tried=0
	for ((at = 0; at < size; at += 1 + size / 24)); do
		serve "$rotated" "$dir/*$file flip $at"
		tried=$((tried + 1))
		rc=0
		update >"$tmp/out" 2>"$tmp/err" || rc=$?
		without_clock "$tmp/err"
		if [ "$rc" -ne 4 ] || [ "$(wc -l <"$tmp/err")" -ne 1 ] || ! grep -q "$file" "$tmp/err" ||
			! cmp -s "$tmp/map.before" "$tmp/client/map"; then
			{ echo "octet $at: exit $rc"; cat "$tmp/err"; } >>"$tmp/bad"
		fi
		# What was stored on the way must not make the next step harmless.
		[ "$file" != list.json ] || rm -f "$tmp/client/state"/list-*.json.tmp*
	done
	if [ -s "$tmp/bad" ] || [ "$tried" -lt 10 ]; then not_ok "one octet of $file changed" "$tmp/bad"; else
		ok "one octet of $file changed, at $tried places, each alone"; fi
done
honest "$rotated"

client "$tmp/s5"
serve "$tmp/s6" "metadata/timestamp.json redirect http://127.0.0.1:$(cat "$tmp/port")/metadata/elsewhere.json"
cp "$tmp/s6/metadata/timestamp.json" "$tmp/www/metadata/elsewhere.json"
: >"$tmp/requests"
attack 'a redirect' 3 'timestamp\.json: redirected elsewhere, which is not followed \(HTTP status 302\)'
check '... and it was not followed' test -z "$(grep elsewhere "$tmp/requests")"
serve "$tmp/s6" 'metadata/* html'
attack '200 with HTML for all' 4 '2\.root\.json: a web page in place of root metadata'
serve "$tmp/s6" 'metadata/timestamp.json html'
attack '200 with HTML for the timestamp' 4 'timestamp\.json: a web page in place of timestamp metadata'
serve "$tmp/s6" 'targets/* html'
attack '200 with HTML for the list' 4 'list\.json\.zst: '
honest "$tmp/s6"

# --- runs that meet, runs that end, clocks ------------------------------------------------------------
client "$tmp/s5"
serve "$tmp/s6" 'targets/* stall'
: >"$tmp/requests"
preload25-update --config "$tmp/u.conf" >"$tmp/log" 2>&1 &
first=$!
disown
await line "$tmp/requests" 'list.json.zst' >/dev/null || not_ok 'a run in the middle of a download'
attack 'a second run at the same time' 3 'another run'
kill -KILL "$first"
# What is killed is not gone at once, and keeps its lock until it is.
check '... which ends' flock -w 60 "$tmp/client/state/lock" true
honest "$tmp/s6"
check '... after the first was killed in its download' grep -q '^v6.test ' "$tmp/client/map"
check '... of which nothing is left' test -z "$(find "$tmp/client" -name '.*')"

client "$tmp/s5"
serve "$tmp/s6"
PRELOAD25_NOW=2000-01-01T00:00:00Z
expect 'a clock that stands in 2000 is told' 0 'the clock of this machine is behind list 6' update
PRELOAD25_NOW=2028-01-01T00:00:00Z
expect 'one that stands in 2028 sees all expired' 5 'list 6 has expired' update
check '... and no entry is in force any more' test "$(grep -c ' secure ' "$tmp/client/map")" = 0
PRELOAD25_NOW=$start
honest "$tmp/s6"
check '... and all are back when it is right' grep -q '^v6.test ' "$tmp/client/map"

# --- other authorities, old keys, stolen keys -------------------------------------------------------
keys=$tmp/other.auth/keys
new_site "$tmp/theirs" "$tmp/other.auth"
list 9 a.test evil.test >"$tmp/list9"
publish "$tmp/theirs" 9 "$tmp/list9"
keys=$tmp/main.auth/keys
client "$tmp/s5"
serve "$tmp/theirs"
attack 'all of another authority' 4 'timestamp\.json: .*0 good signatures'
serve "$tmp/s6" 'targets/*.list.json.zst file targets/theirs' 'targets/*.list.json file targets/theirs'
cp "$tmp/list9" "$tmp/www/targets/theirs"
attack 'the list of another authority' 4 'list\.json\.zst: '
honest "$tmp/s6"

# Root 2 retires the first root key.
openssl genpkey -algorithm ed25519 -out "$tmp/root2.pem" 2>"$tmp/log"
chmod 600 "$tmp/root2.pem"
tuf_sign --public "$tmp/root2.pem" >"$tmp/root2.json"
new_site "$tmp/r2" "$tmp/main.auth"
next_root "$tmp/r2" 2 ".keys += $(cat "$tmp/root2.json") | .roles.root.keyids = [$(jq -c 'keys[0]' "$tmp/root2.json")]" \
	"$keys/root.pem" "$tmp/root2.pem"
publish "$tmp/r2" 5 "$tmp/list5"
cp -r "$tmp/r2" "$tmp/r2next"
publish "$tmp/r2next" 6 "$tmp/list6"
client "$tmp/r2"
check 'the client follows a new root key' test "$(jq .signed.version "$tmp/client/state/metadata/root.json")" = 2
cp -r "$tmp/r2" "$tmp/r3"
next_root "$tmp/r3" 3 ".keys += $(tuf_sign --public "$tmp/other.auth/keys/targets.pem") |
	.roles.targets.keyids = [$(tuf_sign --public "$tmp/other.auth/keys/targets.pem" | jq -c 'keys[0]')]" "$keys/root.pem"
serve "$tmp/r3"
attack 'a root signed by a retired key' 4 '3\.root\.json: .*0 good signatures'
cp "$tmp/r2/metadata/1.root.json" "$tmp/r3/metadata/3.root.json"
serve "$tmp/r3"
attack 'an old root replayed' 4 '3\.root\.json: .*good signatures'
honest "$tmp/r2next"

# The timestamp key alone: it can announce, and nobody has signed what.
client "$tmp/s5"
cp -r "$tmp/s5" "$tmp/stolen"
m=$tmp/stolen/metadata
evil=$(put_target "$tmp/stolen" list.json "$tmp/list9")
targets_file 9 "$evil" "$tmp/other.auth/keys/targets.pem" >"$m/9.targets.json"
snapshot_file 9 "$m/9.targets.json" 9 "$tmp/other.auth/keys/snapshot.pem" >"$m/9.snapshot.json"
timestamp_file 9 "$m/9.snapshot.json" 9 "$keys/timestamp.pem" >"$m/timestamp.json"
serve "$tmp/stolen"
attack 'a stolen timestamp key and a snapshot of its own' 4 '9\.snapshot\.json: .*0 good signatures'
client "$tmp/s6"
cp "$tmp/s4"/metadata/4.* "$m/"
timestamp_file 9 "$m/4.snapshot.json" 4 "$keys/timestamp.pem" >"$m/timestamp.json"
serve "$tmp/stolen"
attack 'a stolen timestamp key and an older snapshot' 4 'rollback: announces an older snapshot'
# The snapshot key alone: the timestamp announces another.
client "$tmp/s5"
cp -r "$tmp/s6" "$tmp/stolen2"
cp "$m/9.targets.json" "$tmp/stolen2/metadata/"
snapshot_file 6 "$m/9.targets.json" 9 "$keys/snapshot.pem" >"$tmp/stolen2/metadata/6.snapshot.json"
serve "$tmp/stolen2"
attack 'a stolen snapshot key' 4 '6\.snapshot\.json: mix of versions, or altered: '
# Both: still nobody has signed the list.
timestamp_file 9 "$tmp/stolen2/metadata/6.snapshot.json" 6 "$keys/timestamp.pem" >"$tmp/stolen2/metadata/timestamp.json"
serve "$tmp/stolen2"
attack 'both, and targets of their own' 4 '9\.targets\.json: .*0 good signatures'

# Two of three operators must sign the list.
for i in 2 3; do
	openssl genpkey -algorithm ed25519 -out "$tmp/targets$i.pem" 2>"$tmp/log"
	chmod 600 "$tmp/targets$i.pem"
done
ids=$(for i in 2 3; do tuf_sign --public "$tmp/targets$i.pem"; done | jq -c -s 'map(keys[0])')
new_site "$tmp/shared" "$tmp/main.auth"
next_root "$tmp/shared" 2 ".keys += $(for i in 2 3; do tuf_sign --public "$tmp/targets$i.pem"; done | jq -c -s add) |
	.roles.targets.keyids += $ids | .roles.targets.threshold = 2" "$keys/root.pem"
cp -r "$tmp/shared" "$tmp/few"
more_keys=("$tmp/targets3.pem")
publish "$tmp/shared" 5 "$tmp/list5"
more_keys=()
client "$tmp/shared"
publish "$tmp/few" 6 "$tmp/list6"
serve "$tmp/few"
attack 'fewer than the threshold of targets keys' 4 '6\.targets\.json: .*1 good signatures of the 2 that root version 2 asks for'
client "$tmp/shared"
more_keys=("$tmp/other.auth/keys/targets.pem")
publish "$tmp/few" 6 "$tmp/list6"
serve "$tmp/few"
attack 'one of them and a stranger' 4 '6\.targets\.json: .*1 good signatures of the 2 that root version 2 asks for'
client "$tmp/shared"
more_keys=("$tmp/targets2.pem")
publish "$tmp/shared" 6 "$tmp/list6"
more_keys=()
honest "$tmp/shared"

# --- signed, and yet -------------------------------------------------------------------------------
head -c 1073741824 /dev/zero | zstd -q -19 --long=27 -c >"$tmp/bomb.zst" # a window that is refused
head -c 1073741824 /dev/zero | zstd -q -3 -c >"$tmp/bomb2.zst"
client "$tmp/s5"
for bomb in bomb bomb2; do
	new_site "$tmp/$bomb" "$tmp/main.auth"
	# The list must be the larger one, or nobody would ask for the bomb.
	list 6 a.test $(seq -f 'd%05g.test' 1 3000) >"$tmp/large"
	publish "$tmp/$bomb" 6 "$tmp/large" "$tmp/$bomb.zst"
done
serve "$tmp/bomb2"
attack 'a zstd bomb' 4 'list\.json\.zst: .*unpacks to more'
client "$tmp/s5"
serve "$tmp/bomb"
attack 'a zstd window that takes all memory' 4 'list\.json\.zst: '

# unsound NAME REGEX: the entries' lines on standard input become a signed list.
unsound() {
	local site=$tmp/unsound
	client "$tmp/s5"
	rm -rf "$site"
	new_site "$site" "$tmp/main.auth"
	whole 6 >"$tmp/list.bad"
	publish "$site" 6 "$tmp/list.bad"
	serve "$site"
	attack "$1" 4 "list\.json is signed, but not sound: .*$2"
}
a=$(entry a.test)
b=$(entry b.test)
new_site "$tmp/sound" "$tmp/main.auth"
lines "$a" "$b" | whole 6 >"$tmp/list.good"
publish "$tmp/sound" 6 "$tmp/list.good"
client "$tmp/s5"
honest "$tmp/sound"
check 'the list that the next ones differ from is taken' grep -q '^b.test ' "$tmp/client/map"
lines "$b" "$a" | unsound 'a list that is not sorted' 'line 3'
lines "$a" "$a" | unsound 'an entry twice' 'line 3'
lines "${a/:/: }" "$b" | unsound 'a blank' 'line 2'
lines "${a/a.test/A.test}" "$b" | unsound 'a capital letter' 'line 2'
lines "$a" "$(sed 's/\("auth":[^]]*\]\),\("max_age":[0-9]*\)/\2,\1/' <<<"$b")" |
	unsound 'keys in another order' 'line 3'
lines "$a" "$b" | sed 's/$/\r/' | unsound 'other line ends' 'line 2'
lines "$a" "$b" | sed '1s/,$//' | unsound 'a missing comma' 'line'
lines "$a" "${b%\}},\"auth\":[\"pkix\"]}" | unsound 'a member twice' 'line 3'
list 7 a.test b.test v7.test >"$tmp/list7"
new_site "$tmp/s7" "$tmp/main.auth"
publish "$tmp/s7" 7 "$tmp/list7"
honest "$tmp/s7"
finish
