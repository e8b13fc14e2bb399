#!/bin/bash
# publish --verify finds what is wrong anywhere in the history, and nothing where nothing is.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

start=$(date -u -d '2026-11-23T12:00:00Z' +%s)
at() { date -u -d "@$((start + $1))" +%FT%TZ; }
auth=$tmp/auth
export PRELOAD25_NOW
PRELOAD25_NOW=$(at 0)
preload25 init "$auth" >"$tmp/log" 2>&1
for i in 1 2 3; do
	PRELOAD25_NOW=$(at $((i * 3600)))
	preload25 --config "$auth/preload25.conf" build >>"$tmp/log" 2>&1 &&
		preload25 --config "$auth/preload25.conf" publish >>"$tmp/log" 2>&1
done
preload25 --config "$auth/preload25.conf" publish >>"$tmp/log" 2>&1 # a renewal
check 'an authority with a history' test "$(git -C "$auth/repository" rev-list --count main)" = 5

copy=$tmp/copy/repository
conf=$tmp/copy/preload25.conf
fresh() {
	rm -rf "$tmp/copy"
	cp -a "$auth" "$tmp/copy"
	# An absolute path in it would lead back to the original.
	sed -i "s,^path = .*,path = $copy," "$conf"
}
git_in() { git -C "$copy" -c user.name=Hand -c user.email=hand@example.org -c gc.auto=0 "$@"; }
commit() { git_in add -A && git_in commit -q -m "by hand"; }
verify() { preload25 --config "$conf" publish --verify; }
# finds NAME CODE LINES REGEX: the exit code, and so many problems, one of which matches.
finds() {
	local rc=0
	verify >"$tmp/out" 2>"$tmp/err" || rc=$?
	without_clock "$tmp/err"
	{ echo "exit $rc, want $2 with $3 problems and $4"; cat "$tmp/out" "$tmp/err"; } >"$tmp/seen"
	if [ "$rc" -eq "$2" ] && [ ! -s "$tmp/err" ] && [ "$(wc -l <"$tmp/out")" -eq $(($3 + 1)) ] &&
		grep -qE "$4" "$tmp/out"; then
		ok "$1"
	else
		not_ok "$1" "$tmp/seen"
	fi
}
newest_list() { # the hashed name of the list that is published
	jq -r '.signed.targets["list.json"].hashes.sha256' "$copy/metadata/3.targets.json" | sed 's,.*,targets/&.list.json,'
}

fresh
finds 'a sound repository' 0 0 '^5 commits: all is well$'
before=$(find "$tmp/copy" -type f -printf '%p %T@ %s\n' | sort)
verify >"$tmp/log" 2>&1
check 'nothing is written' test "$before" = "$(find "$tmp/copy" -type f -printf '%p %T@ %s\n' | sort)"
git_in gc -q
finds 'packed' 0 0 '^5 commits: all is well$'
git clone -q --bare "$auth/repository" "$tmp/bare.git" && sed -i "s,^path = .*,path = $tmp/bare.git," "$conf"
finds 'a bare mirror of it' 0 0 '^5 commits: all is well$'
fresh
rm -r "$tmp/copy/keys"
finds 'without any key' 0 0 'all is well'

fresh
echo 'the list of ...' >"$copy/README"
commit
finds 'files of the operator are none of its business' 0 0 '^6 commits: all is well$'

fresh
list=$(newest_list)
sed -i 's/"vantages":1/"vantages":2/' "$copy/$list"
rm "$copy/targets/list.json" && cp "$copy/$list" "$copy/targets/list.json"
commit
finds 'a changed list' 4 1 "^[0-9a-f]{10}: $list: SHA-256 is not the one announced$"
git_in revert --no-edit HEAD >"$tmp/log"
finds 'a changed list that was put right again' 4 1 "^[0-9a-f]{10}: $list: SHA-256"

fresh
rm "$copy/targets/list.json"
echo other >"$copy/targets/list.json"
commit
finds 'another file under the name for people' 4 1 ': targets/list\.json: not what its signed copy is'

fresh
rm "$copy/$(newest_list)"
commit
finds 'a missing target' 1 1 ": $(newest_list): not there"
fresh
rm "$copy/metadata/3.snapshot.json"
commit
finds 'a missing snapshot' 1 1 ': metadata/3\.snapshot\.json: not there'
fresh
rm "$copy/metadata/timestamp.json"
commit
finds 'a missing timestamp' 1 1 ': metadata/timestamp\.json: not there'

fresh
git_in rm -q -r metadata targets && git_in checkout -q HEAD~2 -- metadata targets
commit
finds 'a history that goes back' 4 1 'timestamp: rollback: version 2 after 4'
fresh
sed -i 's/"length": \([0-9]\)/"length": 9\1/' "$copy/metadata/timestamp.json"
commit
finds 'an altered timestamp' 4 1 ': metadata/timestamp\.json: .*good signatures'
fresh
sed -i 's/^{/{ /' "$copy/metadata/1.root.json"
commit
finds 'a root that was changed later' 4 1 ': metadata/1\.root\.json: changed after it was published'
fresh
preload25 init "$tmp/other" >"$tmp/log" 2>&1
jq -c '.signed | .version = 2' "$tmp/other/repository/metadata/1.root.json" |
	tuf_sign "$tmp/other/keys/root.pem" >"$copy/metadata/2.root.json"
commit
finds "a root of somebody else's" 4 1 ': metadata/2\.root\.json: .*0 good signatures'
jq -c '.signed | .version = 2' "$copy/metadata/1.root.json" |
	tuf_sign "$tmp/copy/keys/root.pem" >"$copy/metadata/2.root.json"
git_in add -A && git_in commit -q --amend -m 'root 2'
finds 'a good second root' 0 0 '^6 commits: all is well$'
fresh
echo x >"$copy/targets/extra"
commit
finds 'a file that nobody has signed' 4 1 ': targets/extra: signed by nobody'

# Signed by the right keys, and yet no list.
fresh
sed 's/"policies":{$/"policies": {/' "$copy/targets/list.json" >"$tmp/bad.json"
sha=$(sha256sum <"$tmp/bad.json" | cut -d' ' -f1)
rm "$copy/targets/list.json"
cp "$tmp/bad.json" "$copy/targets/list.json"
cp "$tmp/bad.json" "$copy/targets/$sha.list.json"
m=$copy/metadata
k=$tmp/copy/keys
said() { jq -n -c --arg h "$(sha256sum <"$1" | cut -d' ' -f1)" --argjson l "$(stat -c %s "$1")" "{hashes: {sha256: \$h}, length: \$l} $2"; }
jq -c ".signed | .version = 4 | .targets[\"list.json\"] = $(said "$tmp/bad.json" '')" "$m/3.targets.json" |
	tuf_sign "$k/targets.pem" >"$m/4.targets.json"
jq -c ".signed | .version = 4 | .meta[\"targets.json\"] = $(said "$m/4.targets.json" '+ {version: 4}')" "$m/3.snapshot.json" |
	tuf_sign "$k/snapshot.pem" >"$m/4.snapshot.json"
jq -c ".signed | .version = 5 | .meta[\"snapshot.json\"] = $(said "$m/4.snapshot.json" '+ {version: 4}')" "$m/timestamp.json" |
	tuf_sign "$k/timestamp.pem" >"$tmp/timestamp.json"
cp "$tmp/timestamp.json" "$m/"
commit
finds 'a signed list that is not in canonical layout' 1 1 ": targets/$sha\.list\.json: line 1"

# Private keys, wherever they were once.
for key in auth/keys/targets.pem openssh der; do
	fresh
	case $key in
	openssh) ssh-keygen -q -t ed25519 -N '' -f "$tmp/openssh" <<<y >"$tmp/log" && cp "$tmp/openssh" "$copy/notes" ;;
	der)
		head -c 65530 /dev/zero >"$copy/notes" # across two pieces of what is read
		openssl pkey -in "$auth/keys/targets.pem" -outform DER >>"$copy/notes"
		;;
	*) { echo 'do not lose:'; cat "$tmp/$key"; } >"$copy/notes" ;;
	esac
	git_in checkout -q -b side
	commit
	at=$(git_in rev-parse --short=10 HEAD)
	rm "$copy/notes"
	commit
	git_in checkout -q main
	finds "a private key in a branch, removed later (${key##*/})" 4 1 "^$at: notes: holds a private key"
done
fresh
cp "$auth/keys/root.pem" "$copy/targets/notes"
commit
finds 'a private key among the targets' 4 2 ': targets/notes: holds a private key'

fresh
PRELOAD25_NOW=$(at $((3 * 86400)))
finds 'an expired timestamp' 1 1 '^HEAD: timestamp: version 4 has expired'
PRELOAD25_NOW=$(at 14400)
echo >>"$copy/targets/policy.json"
finds 'a dirty work tree' 1 1 '^HEAD: .*targets/.*policy\.json: changed by another hand'

fresh
blob=$(git_in rev-parse HEAD:metadata/timestamp.json)
object=$copy/.git/objects/${blob:0:2}/${blob:2}
other=$(git_in rev-parse HEAD:targets/policy.json)
chmod u+w "$object" && cp "$copy/.git/objects/${other:0:2}/${other:2}" "$object"
rc=0
verify >"$tmp/seen" 2>&1 || rc=$?
if [ "$rc" -eq 4 ] && grep -q ': metadata/timestamp.json: .*an object is not what its id says' "$tmp/seen"; then
	ok 'an object with the contents of another'
else
	not_ok "an object with the contents of another (exit $rc)" "$tmp/seen"
fi

# Memory does not grow with what is there.
fresh
head -c 300000000 /dev/zero >"$copy/large"
commit
bounded() { (ulimit -d 60000 && verify); }
case $B in
*san) skip 'a file of 300 MB within 60 MB of memory: the sanitizers need more' ;;
*) check 'a file of 300 MB within 60 MB of memory' bounded ;;
esac

fresh
exec 9>"$copy/.git/preload25/lock"
flock 9
expect 'while publish runs' 3 'another|lock' verify
exec 9>&-
sed -i "s,^path = .*,path = $tmp/nowhere," "$conf"
expect 'no repository' 2 'nowhere' verify
finish
