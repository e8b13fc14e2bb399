#!/bin/bash
# Who may sign: keys in files and tokens, thresholds, offline roots, and five generations of roots that
# clients of the first one follow.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

auth=$tmp/authority
conf=$auth/preload25.conf
repo=$auth/repository
waiting=$auth/repository-signing
p25() { preload25 --config "$conf" "$@"; }
keyid() { p25 key list --json | jq -r ".roles.$1.keys[${2:-0}].keyid"; }
fails() { ! "$@"; }
see() { # see NAME COMMAND...: as check, and what the command said is kept in $tmp/said
	check "$@"
	cp "$tmp/check.out" "$tmp/said"
}

check 'init' preload25 init "$auth"
check 'build' p25 build
check 'publish' p25 publish
cp "$repo/metadata/1.root.json" "$tmp/root.json"

# --- clients ------------------------------------------------------------------------------------
httpd --with-parent --root "$repo" --port-file "$tmp/port" --log "$tmp/httpd.log" &
await exists "$tmp/port" || { not_ok 'httpd starts'; finish; }
url=http://127.0.0.1:$(cat "$tmp/port")
export no_proxy=127.0.0.1

updater() { # updater NAME: a machine of that name, which knows root 1 and what it has seen since
	mkdir -p "$tmp/$1"
	printf '[source]\nurl = %s\nroot = %s\n[state]\ndir = %s\n[install]\nmta = texthash\npath = %s\nreload = no\n' \
		"$url" "$tmp/root.json" "$tmp/$1/state" "$tmp/$1/map" >"$tmp/$1/u.conf"
	preload25-update --config "$tmp/$1/u.conf"
}
tuf() { # tuf NAME: the client of the conformance suite, the same
	[ -d "$tmp/$1" ] || { mkdir "$tmp/$1" && tuf-client --metadata-dir "$tmp/$1" init "$tmp/root.json"; } &&
		tuf-client --metadata-dir "$tmp/$1" --metadata-url "$url/metadata" refresh
}
js=$tmp/tuf-js
mkdir "$js"
cp "$top"/tests/integration/tuf-js/{package.json,package-lock.json,.npmrc,check.mjs} "$js"
if (cd "$js" && npm ci --silent --no-progress --ignore-scripts) >"$tmp/npm.out" 2>&1; then
	tuf_js() { node "$js/check.mjs" "$url" "$tmp/$1" "$tmp/root.json" list.json "$repo/targets/list.json"; }
else
	skip 'tuf-js: npm cannot get it'
	tuf_js() { :; }
fi
follow() { # follow GENERATION: clients that have seen every one before, and new ones
	check "preload25-update follows to root $1" updater old-updater
	check "the TUF client follows to root $1" tuf old-tuf
	check "tuf-js follows to root $1" tuf_js old-js
	check "preload25-update goes from root 1 to $1" updater "new-updater-$1"
	check "tuf-js goes from root 1 to $1" tuf_js "new-js-$1"
	check "they have root $1" test "$(jq .signed.version "$tmp/old-tuf/root.json")" = "$1"
	check "the tree is committed" test -z "$(git -C "$repo" status --porcelain)"
	check "publish --verify is content" p25 publish --verify
	check "git fsck" git -C "$repo" fsck --strict --no-dangling
}
[ -x "$B/tuf-client" ] || { not_ok 'make tuf-client'; finish; }
follow 1

# --- 2: the online keys, by one command each ------------------------------------------------------
before=$(keyid timestamp)
check 'root 2: rotate timestamp' p25 key rotate --role timestamp
check 'its key is another' test "$(keyid timestamp)" != "$before"
check 'nothing is left of the old one' fails compgen -G "$auth/keys/*.next"
check 'the new file is ours alone' test "$(stat -c %a "$auth/keys/timestamp.pem")" = 600
follow 2

# --- 3: root keys of three people, two must sign; the authority keeps none -------------------------
for who in alice bob carol; do
	check "key generate: $who" preload25 key generate "$tmp/$who.pem"
	preload25 key export "$tmp/$who.pem" >"$tmp/$who.json"
done
check 'root 3: three more root keys, two must sign' p25 key add --role root --threshold 2 --expires 500 \
	"$tmp/alice.json" "$tmp/bob.json" "$tmp/carol.json"
check 'one root key is not enough any more' test "$(jq .signed.version "$repo/metadata/3.root.json" 2>/dev/null)" = ''
sign() { preload25 sign "$@"; }
see 'sign --show says what it is' sign "$waiting/3.root.json" --show
check 'who comes' grep -q "^    + $(sha256sum <(jq -cjS . "$tmp/alice.json") | cut -c1-64)  ed25519" "$tmp/said"
check 'and how many must sign' grep -q '^  root: 2 of 4 keys must sign, until now 1' "$tmp/said"
check 'and what stays' grep -q '^  timestamp: 1 of 1 key, as before' "$tmp/said"
check 'nothing was signed' grep -q '^1 of 1 signatures by the old keys, 1 of 2 by the new ones' "$tmp/said"
expect 'a stranger may not sign' 2 'none of those that may sign for root' \
	sign "$waiting/3.root.json" --key "$auth/keys/targets.pem"
mkdir "$tmp/elsewhere"
cp "$waiting/3.root.json" "$tmp/elsewhere/for-alice.json"
expect 'her own copy of the root must be the one it builds on' 4 'builds on another' \
	sign "$tmp/elsewhere/for-alice.json" --root "$repo/metadata/1.root.json" --key "$tmp/alice.pem"
see 'alice signs elsewhere' sign "$tmp/elsewhere/for-alice.json" --root "$repo/metadata/2.root.json" \
	--key "file:$tmp/alice.pem"
check 'which completes it' grep -q '^complete' "$tmp/said"
see 'publish without it: the root waits' p25 publish
check 'and says where' grep -q "repository-signing/3.root.json" "$tmp/said"
cp "$tmp/elsewhere/for-alice.json" "$waiting/"
see 'publish takes it up, whatever its name' p25 publish
check 'root 3 is published' grep -q '^root 3 is published' "$tmp/said"
check 'nothing waits' fails compgen -G "$waiting/*"
mv "$auth/keys/root.pem" "$tmp/authority-root.pem"
follow 3

# --- 4: the list needs two operators --------------------------------------------------------------
check 'a second operator' preload25 key generate --type ecdsa "$tmp/second.pem"
preload25 key export --pem "$tmp/second.pem" >"$tmp/second.pub"
check 'root 4: two of two for targets' p25 key add --role targets --threshold 2 "$tmp/second.pub"
check 'bob signs' sign "$waiting/4.root.json" --key "$tmp/bob.pem"
check 'and carol' sign "$waiting/4.root.json" --key "$tmp/carol.pem"
check 'publish: the targets wait for the new keys' p25 publish
check 'the old root stands' test ! -e "$repo/metadata/4.root.json"
targets=$(basename "$(compgen -G "$waiting/*.targets.json")")
check 'the second operator signs' sign "$waiting/$targets" --key "$tmp/second.pem"
check 'publish takes up both' p25 publish
follow 4
check 'a new list' p25 build
check 'waits for the second operator' p25 publish
check 'and the timestamp goes on' test "$(jq .signed.version "$repo/metadata/timestamp.json")" -gt 1
check 'the published list is the old one' test "$(jq .version "$repo/targets/list.json")" = 1
targets=$(basename "$(compgen -G "$waiting/*.targets.json")")
expect 'publish again: it still waits' 0 'waits with 1 of 2 signatures' p25 publish
check 'sign' sign "$waiting/$targets" --key "$tmp/second.pem"
check 'publish' p25 publish
check 'the new list is published' test "$(jq .version "$repo/targets/list.json")" = 2
follow 4

# --- 5: a key is revoked; the old root key is lost --------------------------------------------------
expect 'not below the threshold' 2 'see --threshold' p25 key revoke --role targets "$(keyid targets 0)"
expect 'not the last one' 2 'use key rotate' p25 key revoke --role snapshot "$(keyid snapshot)"
lost=$(preload25 key export "$tmp/authority-root.pem" | sha256sum <(jq -cjS .) | cut -c1-64)
check 'root 5: revoke' p25 key revoke --role root "${lost:0:12}"
check 'and while it waits, new keys for the snapshot' p25 key rotate --role snapshot
see 'alice signs' sign "$waiting/5.root.json" --key "$tmp/alice.pem"
check 'it says which key goes' grep -q "^    - $lost" "$tmp/said"
check 'bob signs' sign "$waiting/5.root.json" --key "$tmp/bob.pem"
check 'publish' p25 publish
check 'root 5 is published' test -e "$repo/metadata/5.root.json"
follow 5
check 'every generation is in the history' test \
	"$(git -C "$repo" log --format=%s | grep -c '^root [1-5]: ')" = 5

# --- the timestamp alone ----------------------------------------------------------------------------
mkdir "$tmp/away"
mv "$auth"/keys/{targets,snapshot}.pem "$auth/preload25.db" "$tmp/away/"
before=$(jq .signed.version "$repo/metadata/timestamp.json")
check 'publish --timestamp needs neither database nor other keys' p25 publish --timestamp
check 'it is the next one' test "$(jq .signed.version "$repo/metadata/timestamp.json")" = $((before + 1))
check 'nothing else was written' test "$(git -C "$repo" show --format= --name-only HEAD)" = metadata/timestamp.json
mv "$tmp"/away/*.pem "$auth/keys/"
mv "$tmp/away/preload25.db" "$auth/"
follow 5

# --- private keys -----------------------------------------------------------------------------------
chmod 640 "$auth/keys/snapshot.pem"
expect 'a key that others may read' 4 'mode 640 lets others' p25 publish
chmod 600 "$auth/keys/snapshot.pem"
if [ "$(id -u)" -eq 0 ]; then
	chown 65534 "$auth/keys/snapshot.pem"
	expect 'a key of another user' 4 'belongs to user 65534' p25 publish
	chown 0 "$auth/keys/snapshot.pem"
else
	skip 'a key of another user: not root'
fi
(umask 077 && echo 'correct horse' >"$tmp/pass" && echo wrong >"$tmp/wrong")
check 'a key with a pass phrase' preload25 key generate --passphrase-from "file:$tmp/pass" "$tmp/dave.pem"
check 'its file is encrypted' grep -q 'BEGIN ENCRYPTED PRIVATE KEY' "$tmp/dave.pem"
check 'from a file' preload25 key export "$tmp/dave.pem" --passphrase-from "file:$tmp/pass"
with_fd() { preload25 key export "$tmp/dave.pem" --passphrase-from fd:7 7<"$tmp/pass"; }
check 'from a descriptor' with_fd
expect 'a wrong one' 2 'dave.pem' preload25 key export "$tmp/dave.pem" --passphrase-from "file:$tmp/wrong"
expect 'never from the command line' 2 'not written down here' \
	preload25 key export "$tmp/dave.pem" --passphrase-from 'correct horse'
check 'which is not repeated' fails grep -q horse "$tmp/err"
expect 'without a terminal nobody is asked' 2 'no terminal to ask' \
	setsid -w preload25 key export "$tmp/dave.pem"
chmod 644 "$tmp/pass"
expect 'a pass phrase that others may read' 4 'chmod 600' \
	preload25 key export "$tmp/dave.pem" --passphrase-from "file:$tmp/pass"
chmod 600 "$tmp/pass"
script_ok() { # asks the terminal, which script(1) is
	script -qec "preload25 key export $tmp/dave.pem" /dev/null <<<'correct horse' >"$tmp/asked" 2>&1 &&
		grep -q 'Pass phrase for' "$tmp/asked" && grep -q '"keytype":"ed25519"' "$tmp/asked"
}
check 'on a terminal it is asked for' script_ok
expect 'a private key is no public key' 4 'should stay where it is' p25 key add --role targets "$tmp/alice.pem"

# --- a token ------------------------------------------------------------------------------------------
module=$(find /usr/lib /usr/lib64 -name libsofthsm2.so 2>/dev/null | head -n 1)
if [ -n "$module" ] && command -v pkcs11-tool softhsm2-util >/dev/null &&
	compgen -G '/usr/lib/*/engines-3/pkcs11.so' >/dev/null; then
	mkdir "$tmp/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp/tokens" \
		>"$tmp/softhsm2.conf"
	export SOFTHSM2_CONF=$tmp/softhsm2.conf
	softhsm2-util --init-token --free --label p25 --pin 4711 --so-pin 0815 >"$tmp/hsm.log" 2>&1
	for type in EC:prime256v1 rsa:2048; do
		pkcs11-tool --module "$module" --token-label p25 --login --pin 4711 --keypairgen \
			--key-type "$type" --label "${type%%:*}" --id "$((RANDOM % 90 + 10))" >>"$tmp/hsm.log" 2>&1
	done
	(umask 077 && echo 4711 >"$tmp/pin" && echo 0000 >"$tmp/bad-pin")
	token() { echo "pkcs11:token=p25;object=$1;type=private?module-path=$module"; }
	for label in EC rsa; do
		check "a token's public key: $label" preload25 key export "$(token $label)" \
			--passphrase-from "file:$tmp/pin"
	done
	expect 'a wrong PIN' 2 'is the PIN right' preload25 key export "$(token EC)" \
		--passphrase-from "file:$tmp/bad-pin"
	expect 'no such object' 2 'no private key there' preload25 key export "$(token nobody)" \
		--passphrase-from "file:$tmp/pin"
	expect 'no PIN in the URI' 2 'does not belong into the URI' \
		preload25 key export "$(token EC)&pin-value=4711"
	check 'which is not repeated' fails grep -q 4711 "$tmp/err"
	# The timestamp key moves into the token, with the root keys of alice and bob.
	printf '[repository]\ntimestamp_passphrase_from = file:%s\ntimestamp_key = file:keys/timestamp.pem\ntimestamp_key = %s\n' \
		"$tmp/pin" "$(token EC)" >"$tmp/token.conf"
	grep -v '^timestamp_key' "$conf" >"$tmp/rest.conf"
	cat "$tmp/rest.conf" "$tmp/token.conf" >"$conf"
	check 'root 6: the timestamp key moves into the token' \
		p25 key rotate --role timestamp --replace "$(keyid timestamp)" "$(token EC)"
	check 'alice signs' sign "$waiting/6.root.json" --key "$tmp/alice.pem"
	check 'bob signs' sign "$waiting/6.root.json" --key "$tmp/bob.pem"
	check 'publish' p25 publish
	check 'the key is in the token' test "$(p25 key list --json |
		jq -r '.roles.timestamp.keys[0] | "\(.keytype) \(.uri)"')" = "ecdsa $(token EC)"
	rm "$auth/keys/timestamp.pem"
	sed -i '/^timestamp_key = file:/d' "$conf"
	check 'publish --timestamp from the token' p25 publish --timestamp
	follow 6
	check 'an RSA key of the token signs, too' p25 key add --role targets "$(token rsa)&pin-source=file:$tmp/pin"
else
	skip 'keys in a token: softhsm2, opensc and libengine-pkcs11-openssl are not installed'
fi

# --- never in git, never in a log -----------------------------------------------------------------
check 'no private key in the history' fails sh -c "git -C '$repo' log -p --all | grep -q 'PRIVATE KEY'"
finish
