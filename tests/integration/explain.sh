#!/bin/bash
# What check says of every kind of domain in the lab: the objects of --json are of the published
# schema, and the report for people keeps the promises of rule section 21.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

in_a_lab "${1:-}"

conf=$LAB_DIR/preload25.conf
schema=$top/data/schema/check.schema.json
# One domain of each kind: the first.
jq -rs 'group_by(.kind)[] | .[0].domain' "$LAB_DIR/truth.jsonl" >"$tmp/domains"
kinds=$(wc -l <"$tmp/domains")
{ cat "$tmp/domains"; printf '%s\n' 'no domain' bücher.test; } >"$tmp/asked"
tr '\n' '\0' <"$tmp/asked" | xargs -0 preload25 --config "$conf" check --json >"$tmp/json" 2>"$tmp/log"
tr '\n' '\0' <"$tmp/asked" | xargs -0 preload25 --config "$conf" check >"$tmp/text" 2>"$tmp/log"
check 'check --json answers for every kind' test "$(wc -l <"$tmp/json")" = $((kinds + 2))

# --- JSON ----------------------------------------------------------------------------------------
cat >"$tmp/validate.py" <<-'END'
	import json, sys
	import jsonschema
	schema = json.load(open(sys.argv[1]))
	jsonschema.Draft202012Validator.check_schema(schema)
	validator = jsonschema.Draft202012Validator(schema)
	bad = 0
	for line in open(sys.argv[2]):
	    report = json.loads(line)
	    for e in validator.iter_errors(report):
	        print(report.get("domain"), list(e.absolute_path), e.message[:200])
	        bad = 1
	sys.exit(bad)
END
# Debian's; a python3 of another origin does not see Debian's modules.
for python in /usr/bin/python3 python3; do
	"$python" -c 'import jsonschema' 2>/dev/null && break
done
validate() { "$python" "$tmp/validate.py" "$schema" "$1" 2>&1; }
check 'check --json of every kind is valid by check.schema.json' validate "$tmp/json"
# The validator is no rubber stamp.
head -n 1 "$tmp/json" | jq -c '.verdict = "perhaps"' >"$tmp/wrong"
if validate "$tmp/wrong" >"$tmp/seen"; then
	not_ok 'the schema refuses another verdict' "$tmp/seen"
else
	ok 'the schema refuses another verdict'
fi
none() { # none NAME JQ-FILTER: the filter, over all objects, yields nothing
	jq -c "$2" "$tmp/json" >"$tmp/seen"
	if [ -s "$tmp/seen" ]; then not_ok "$1" "$tmp/seen"; else ok "$1"; fi
}
some() { # some NAME JQ-FILTER: it yields something
	jq -c "$2" "$tmp/json" >"$tmp/seen"
	if [ -s "$tmp/seen" ]; then ok "$1"; else not_ok "$1"; fi
}
none 'what was seen of a finding is never empty, nor longer than a paragraph' \
	'.domain as $d | .findings[] | select((.message | length) < 8 or (.message | length) > 600 or .subject == "") | [$d, .code]'
none 'every failing finding says how to mend it' \
	'.domain as $d | .findings[] | select(.severity == "fail" and .fix == null and .code != "mx-null") | [$d, .code]'
none 'temporary findings say that something could not be tested' \
	'.domain as $d | .findings[] | select(.severity == "temp" and (.message | contains("could not be tested") | not)) | [$d, .code, .message]'
none 'where the verdict is unknown nothing fails, and something could not be tested' \
	'select(.verdict == "unknown" and ([.findings[].severity] | index("fail") != null or index("temp") == null)) | .domain'
none 'where the verdict is pass nothing fails, and nothing was left untested but TLSRPT' \
	'select(.verdict == "pass" and any(.findings[]; .severity == "fail" or (.severity == "temp" and (.subject | startswith("_smtp._tls.") | not)))) | .domain'
none 'where the verdict is fail something fails, or a warning blocks the listing' \
	'select(.verdict == "fail" and (any(.findings[]; .severity == "fail" or (.code | test("^mta-sts-policy-(mx-ip|mx-too-wide|duplicate-key)$"))) | not)) | .domain'
some 'a certificate that only DANE could excuse is temporary while DANE is' \
	'select(.verdict == "unknown") | .findings[] | select(.code == "pkix-self-signed" and .severity == "temp" and .cause == "dane-tlsa-lookup-failed")'
some 'what a provider serves under an alias is the provider to mend' \
	'.findings[] | select(.subject | startswith("_mta-sts.")) | select(.operator != null)'
none 'a cause is itself among the findings' \
	'.domain as $d | [.findings[].code] as $codes | .findings[] | select(.cause != null) | .cause as $c | select($codes | index($c) | not) | [$d, .code, $c]'
some 'a broken DANE explains why the policy does not help' \
	'.findings[] | select(.code == "eligibility-dane-broken" and .cause == "tlsa-mismatch")'
some 'a refused connection stands under mx-all-unreachable' \
	'.findings[] | select(.code == "smtp-connect-refused" and .cause == "mx-all-unreachable")'
some 'a missing host is told with the line to add' \
	'.findings[] | select(.code == "mta-sts-mx-mismatch" and (.fix | test("\nmx: [a-z0-9.-]+(\n|$)")))'
some 'a TLSA mismatch is told with the record to publish' \
	'.findings[] | select(.code == "tlsa-mismatch" and (.fix | test("\n_25._tcp.[a-z0-9.-]+ IN TLSA 3 1 1 [0-9a-f]{64}$")))'
none 'findings come in the order of what blocks first' \
	'.domain as $d | [.findings[].severity | {fail: 0, temp: 1, warn: 2, info: 3}[.]] as $ranks | select($ranks != ($ranks | sort)) | $d'

# --- text ----------------------------------------------------------------------------------------
# Lines to paste stand deeper than text and may be as long as they must.
if LC_ALL=C.UTF-8 awk 'length($0) > 80 && !/^ +(_|https:|v=|mx)/ && !/  [a-z0-9-]+$/' "$tmp/text" >"$tmp/seen" && [ ! -s "$tmp/seen" ]; then
	ok 'text keeps to 80 columns'
else
	not_ok 'text keeps to 80 columns' "$tmp/seen"
fi
fit=$(jq -r 'select(.eligible and ([.findings[] | select(.severity == "warn")] | length == 0)).domain' "$tmp/json")
for d in $fit; do
	lines=$(preload25 --config "$conf" check "$d" | wc -l)
	[ "$lines" -le 24 ] || { echo "$d: $lines lines"; preload25 --config "$conf" check "$d"; }
done >"$tmp/seen"
if [ -n "$fit" ] && [ ! -s "$tmp/seen" ]; then ok 'a healthy domain takes one screen'; else
	not_ok 'a healthy domain takes one screen' "$tmp/seen"; fi
finish
