#!/bin/bash
# delta.sh: what a publication holds besides the list: deltas, which the updater goes by over HTTP,
# counted at the server; a signature that minisign takes; a policy.json that the tools of STARTTLS
# Everywhere take.
#
# STARTTLS_EVERYWHERE names a copy of github.com/EFForg/starttls-everywhere, and STARTTLS_POLICY_CLI
# one of github.com/EFForg/starttls-policy-cli; without them those checks are skipped.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

in_a_lab "${1:-}" --domains 600

auth=$tmp/auth
conf=$auth/preload25.conf
repo=$auth/repository
targets=$repo/targets
t=$(now_s)

publish() { # the next list, a minute later
	t=$((t + 60))
	authority_publish "$auth" "$t"
}
updater_conf() { # updater_conf DIR URL
	mkdir -p "$1"
	cat >"$1/u.conf" <<-END
		[source]
		url = $2
		root = $tmp/root.json
		[state]
		dir = $1/state
		[install]
		mta = texthash
		path = $1/map
		reload = no
	END
}
update() { at "$t" preload25-update --config "$1/u.conf"; } # update DIR
has_list() { # has_list DIR: the list that is installed there is the one that is published
	grep -q "^serial.preload25.invalid $(jq .version "$targets/list.json")\$" "$1/map" &&
		cmp "$targets/list.json" "$1/state/list-$(sha256sum "$targets/list.json" | cut -d ' ' -f 1).json"
}

{
	authority_make "$auth" "$LAB_DIR" &&
		preload25 --config "$conf" import "$LAB_DIR/domains.txt" && authority_quick "$auth" && publish
} >"$tmp/log" 2>&1 || { not_ok 'an authority and a first publication' "$tmp/log"; finish; }
cp "$repo/metadata/1.root.json" "$tmp/root.json"
ok 'an authority and a first publication'
httpd --with-parent --root "$repo" --port-file "$tmp/port" --log "$tmp/served" &
await exists "$tmp/port" || { not_ok 'httpd starts'; finish; }
url=http://127.0.0.1:$(cat "$tmp/port")
asked() { # asked: paths, status and octets of what was served since the last time, one a line
	cut -f3-5 "$tmp/served" | sed 's|/[0-9a-f]\{64\}\.|/|'
	: >"$tmp/served"
}
mapfile -t listed < <(jq -r '.policies | keys[]' "$targets/list.json")
check 'some domains are listed' test "${#listed[@]}" -gt 50

# --- by delta ---------------------------------------------------------------------------------------
updater_conf "$tmp/a" "$url"
updater_conf "$tmp/b" "$url"
expect 'a first visit' 0 '' update "$tmp/a"
expect 'and that of another one' 0 '' update "$tmp/b"
asked >"$tmp/seen"
check 'gets the compressed list' grep -q "^/targets/list.json.zst	200	$(stat -c %s "$targets/list.json.zst")\$" "$tmp/seen"
check 'and nothing else of the targets' test "$(grep -c '^/targets/' "$tmp/seen")" -eq 2
refuse() { preload25 --config "$conf" refuse "$1" --reason 'a test'; }
check 'a domain leaves' refuse "${listed[3]}"
check 'list 2' publish
expect 'an update' 0 '' update "$tmp/a"
asked >"$tmp/seen"
delta=$(stat -c %s "$targets/delta/1-2.json.zst")
check 'goes by the delta' grep -q "^/targets/delta/1-2.json.zst	200	$delta\$" "$tmp/seen"
check 'and nothing else of the targets' test "$(grep -c '^/targets/' "$tmp/seen")" -eq 1
check 'to list 2, octet for octet' has_list "$tmp/a"
check "which is smaller ($delta octets, the list $(stat -c %s "$targets/list.json.zst"))" \
	test "$((delta * 3))" -lt "$(stat -c %s "$targets/list.json.zst")"
expect 'a refresh without news' 0 '' update "$tmp/a"
asked >"$tmp/seen"
check "costs two requests ($(awk '{ n += $3 } END { print n }' "$tmp/seen") octets)" \
	diff <(cut -f1,2 "$tmp/seen") <(printf '/metadata/2.root.json\t404\n/metadata/timestamp.json\t200\n')
for i in 5 7; do
	check 'a domain leaves' refuse "${listed[$i]}"
	check 'another list' publish
done
expect 'an update over three lists' 0 '' update "$tmp/b"
asked >"$tmp/seen"
check 'goes by one delta' grep -q '^/targets/delta/1-4.json.zst	200	' "$tmp/seen"
check 'and nothing else of the targets' test "$(grep -c '^/targets/' "$tmp/seen")" -eq 1
check 'to list 4, octet for octet' has_list "$tmp/b"
check 'the deltas are those to the newest list' \
	diff <(cd "$targets/delta" && ls ?-?.json.zst) <(printf '%s-4.json.zst\n' 1 2 3)
check 'and the publication before is there for those on their way' \
	test "$(find "$targets/delta" -name '*.?-3.json.zst' | wc -l)" -eq 2
check 'older ones are in the history' git -C "$repo" cat-file -e HEAD~2:targets/delta/1-2.json.zst
check 'the work tree is what was committed' test -z "$(git -C "$repo" status --porcelain)"
check 'git fsck' git -C "$repo" fsck --strict --no-dangling

# --- a delta that cannot be used --------------------------------------------------------------------
hashed=$(find "$targets/delta" -name '*.2-4.json.zst' -size +0 | grep -E '/[0-9a-f]{64}\.')
cp "$hashed" "$tmp/delta"
cp -r "$tmp/a" "$tmp/c"
sed -i "s|$tmp/a|$tmp/c|" "$tmp/c/u.conf" "$tmp/c/state/state.json"
printf X | dd of="$hashed" bs=1 seek=40 conv=notrunc status=none
: >"$tmp/served"
expect 'a mirror that changes one octet of it' 0 \
	'2-4.json.zst: .*; the whole list is fetched instead$' update "$tmp/a"
asked >"$tmp/seen"
check 'the whole list is fetched' grep -q '^/targets/list.json.zst	200	' "$tmp/seen"
check 'and is list 4' has_list "$tmp/a"
rm "$hashed"
expect 'a mirror that lacks it' 0 '2-4.json.zst: not there; the whole list is fetched instead$' update "$tmp/c"
check 'also list 4' has_list "$tmp/c"
cp "$tmp/delta" "$hashed"

# --- the form of a delta ----------------------------------------------------------------------------
for python in python3 /usr/bin/python3 ''; do
	[ -z "$python" ] || ! "$python" -c 'import jsonschema' 2>/dev/null || break
done
if [ -n "$python" ]; then
	zstd -dc "$targets/delta/1-4.json.zst" >"$tmp/delta.json"
	cat >"$tmp/validate.py" <<-'END'
		import json, sys, jsonschema
		name, directory, document = sys.argv[1:]
		load = lambda path: json.load(open(path, encoding="utf-8"))
		schema = load(f"{directory}/{name}")
		resolver = jsonschema.RefResolver(f"file://{directory}/", schema)
		jsonschema.Draft202012Validator(schema, resolver=resolver).validate(load(document))
	END
	check 'the delta is as delta.schema.json describes it' \
		"$python" -W ignore "$tmp/validate.py" delta.schema.json "$top/data/schema" "$tmp/delta.json"
	check 'the list is as list.schema.json describes it' \
		"$python" -W ignore "$tmp/validate.py" list.schema.json "$top/data/schema" "$targets/list.json"
else
	skip 'the JSON Schemas: there is no Python with jsonschema'
fi
check 'it names the domains that have left' diff <(printf '%s\n' "${listed[3]}" "${listed[5]}" "${listed[7]}") \
	<(jq -r '.policies | to_entries[] | select(.value == "removed").key' "$tmp/delta.json")

# --- minisign ---------------------------------------------------------------------------------------
expect 'minisign-key' 0 '' preload25 --config "$conf" minisign-key
cp "$tmp/out" "$tmp/minisign.pub"
check 'prints the key that is published' cmp "$tmp/minisign.pub" "$targets/minisign.pub"
check 'which stands in a file for its owner alone' test "$(stat -c %a "$auth/keys/minisign.pem")" = 600
if command -v minisign >/dev/null; then
	check 'minisign -V takes the list' minisign -V -p "$tmp/minisign.pub" -m "$targets/list.json"
	minisign -V -Q -P "$(tail -n 1 "$tmp/minisign.pub")" -m "$targets/list.json" >"$tmp/out" 2>&1
	check 'and shows which list it is' grep -q 'file:list.json.*hashed.*version:4' "$tmp/out"
	cp "$targets/list.json" "$tmp/list.json"
	echo >>"$tmp/list.json"
	fails() { ! "$@"; }
	check 'but none that was changed' \
		fails minisign -V -p "$tmp/minisign.pub" -m "$tmp/list.json" -x "$targets/list.json.minisig"
	sed 's/version:4/version:9/' "$targets/list.json.minisig" >"$tmp/list.json.minisig"
	check 'nor a comment that was changed' \
		fails minisign -V -p "$tmp/minisign.pub" -m "$targets/list.json" -x "$tmp/list.json.minisig"
else
	skip 'minisign: it is not installed'
fi

# --- STARTTLS Everywhere ----------------------------------------------------------------------------
if [ -n "${STARTTLS_EVERYWHERE:-}" ] && [ -n "$python" ]; then
	mkdir -p "$tmp/everywhere"
	cp -r "$STARTTLS_EVERYWHERE/schema" "$STARTTLS_EVERYWHERE/tests" "$tmp/everywhere"
	cp "$targets/policy.json" "$tmp/everywhere"
	check "policy.json passes STARTTLS Everywhere's own tests" "$python" "$tmp/everywhere/tests/policy_test.py"
else
	skip 'policy.json against its published schema: STARTTLS_EVERYWHERE names no copy of that repository'
fi
for python in python3 /usr/bin/python3 ''; do
	[ -z "$python" ] || ! "$python" -c 'import six, dateutil' 2>/dev/null || break
done
if [ -n "${STARTTLS_POLICY_CLI:-}" ] && [ -n "$python" ]; then
	cat >"$tmp/read.py" <<-'END'
		import json, sys
		from starttls_policy_cli.policy import Config
		config = Config(filename=sys.argv[1])
		config.load()
		for domain in sorted(config):
		    policy = config.get_policy_for(domain)
		    print(domain, policy.mode, *policy.mxs)
	END
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$STARTTLS_POLICY_CLI "$python" "$tmp/read.py" "$targets/policy.json" \
		>"$tmp/read" 2>"$tmp/log" || not_ok "STARTTLS Everywhere's command-line tool reads policy.json" "$tmp/log"
	# What it read is what the list says.
	jq -r '."policy-aliases" as $a | .policies | to_entries[] |
		(if .value."policy-alias" then $a[.value."policy-alias"] else .value end) as $p |
		select($p.auth | index("pkix")) | [.key, $p.mode, ($p.mxs[] | ltrimstr("*"))] | join(" ")' \
		"$targets/list.json" >"$tmp/want"
	check "STARTTLS Everywhere's command-line tool reads what the list says" diff "$tmp/want" "$tmp/read"
	check 'which is something' test -s "$tmp/read"
else
	skip "policy.json by STARTTLS Everywhere's tool: STARTTLS_POLICY_CLI names no copy of it, or Python lacks six and dateutil"
fi
finish
