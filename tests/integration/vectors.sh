#!/bin/bash
# Every vector run through the program itself: preload25 lint KIND --json, compared with what the
# vector expects (outcome or match or usable, code, warnings, exit code).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# FILE KIND-OF-VECTOR KIND-OF-LINT; the default kind is "-".
kinds='mta-sts-record - mta-sts-record
mta-sts-record rrset mta-sts-rrset
mta-sts-policy - mta-sts-policy
mx-pattern - mx-match
mx-pattern dns-id dns-id-match
tlsrpt-record - tlsrpt-record
tlsrpt-record rrset tlsrpt-rrset
dane-tlsa rdata tlsa
dane-tlsa rrset tlsa-rrset
dane-tlsa chain tlsa-chain
smtp-reply - smtp-reply
smtp-reply greeting smtp-greeting
smtp-reply ehlo smtp-ehlo
smtp-reply starttls smtp-starttls
domain-name - domain'

# Whether the output fits: every member of expect that the value also names is equal, the code is the
# one expected (or one of several), and the expected warnings are there.
# shellcheck disable=SC2016 # jq's own variables
fits='($e.expect) as $x |
	(.value // {}) as $v |
	([$x | to_entries[] | select(.key | IN("code", "warnings") | not) |
		select($v[.key] != null and $v[.key] != .value and (.key | IN("record", "depth") | not)) | .key] | length == 0) and
	(if $x.code == null then .code == null
	 elif ($x.code | type) == "array" then .code as $c | $x.code | index($c) != null
	 else .code == $x.code end) and
	($e.kind == "rrset" and ($x.outcome == "all-unusable") or
	 ((($x.warnings // []) - .warnings) | length == 0))'

while read -r file kind lint; do
	n=0
	: >"$tmp/bad"
	while IFS= read -r vector; do
		n=$((n + 1))
		if [ "$(jq -r 'has("input_b64")' <<<"$vector")" = true ]; then
			jq -r .input_b64 <<<"$vector" | base64 -d >"$tmp/input"
		else
			jq -j .input <<<"$vector" >"$tmp/input"
		fi
		preload25 lint "$lint" --json "$tmp/input" >"$tmp/out" 2>"$tmp/err"
		rc=$?
		valid=$(jq -r .valid "$tmp/out" 2>/dev/null)
		if [ "$rc $valid" != '0 true' ] && [ "$rc $valid" != '1 false' ] ||
			[ "$(jq --argjson e "$vector" "$fits" "$tmp/out")" != true ]; then
			{
				jq -c '{id, expect}' <<<"$vector"
				echo "exit $rc"
				cat "$tmp/out" "$tmp/err"
			} >>"$tmp/bad"
		fi
	done < <(jq -c --arg k "$kind" '.[] | select((.kind // "-") == $k)' "$top/tests/vectors/$file.json")
	if [ "$n" -eq 0 ]; then
		not_ok "$lint: no vector of kind $kind in $file.json"
	elif [ -s "$tmp/bad" ]; then
		not_ok "$lint: $n vectors" "$tmp/bad"
	else
		ok "$lint: $n vectors"
	fi
done <<<"$kinds"

printf 'v=PRELOAD25v1; mode=enforce; contact=mailto:postmaster@example.org' >"$tmp/record"
expect 'preload-record: a valid one' 0 '' preload25 lint preload-record "$tmp/record"
printf 'v=PRELOAD25v1; mode=always' >"$tmp/record"
expect 'preload-record: a bad mode' 1 '' preload25 lint preload-record "$tmp/record"
expect 'an unknown kind' 2 '^preload25: lint: unknown kind mta-sts; did you mean' preload25 lint mta-sts
expect 'a file that is not there' 2 '^preload25: /nonexistent: ' preload25 lint domain /nonexistent
finish
