# shellcheck shell=bash
# tuf.bash: lists and TUF repositories that a test puts together itself, so that they can hold what no
# crawl would find, be wrong in any way, and be signed all the same. Sourced.
#
# Needs preload25, tuf_sign, jq and sha256sum in PATH. The caller sets, as times of RFC 3339:
#   start               when the list was made and last confirmed
#   list_expires        of the list itself
#   expires             of root, targets and snapshot
#   timestamp_expires   of timestamp
# (moment helps) and keys, the folder of an authority's keys (new_authority makes one); more_keys, an array
# of files, sign the targets, too.
# shellcheck disable=SC2154 # the caller's
more_keys=()

# moment SPAN: from now on, as date has it ("+2 days").
moment() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }
# new_authority DIR: its keys are DIR/keys, its root DIR/root.json. What went wrong is printed.
new_authority() {
	local said
	said=$(preload25 init "$1" 2>&1) || { printf '%s\n' "$said"; return 1; }
	cp "$1/repository/metadata/1.root.json" "$1/root.json"
}
# new_site SITE AUTHORITY-DIR: a repository with that authority's root, and nothing published.
new_site() {
	mkdir -p "$1/metadata" "$1/targets" && cp "$2/root.json" "$1/metadata/1.root.json"
}

# lines ENTRY...: entries with what stands between them.
lines() {
	local i
	for ((i = 1; i < $#; i++)); do printf '%s,\n' "${!i}"; done
	[ $# -eq 0 ] || printf '%s\n' "${!#}"
}
whole() { # VERSION, the entries' lines on standard input
	printf '{"author":"test","confirmed_since":"%s","expires":"%s","format":"preload25-list-1","policies":{\n' \
		"$start" "$list_expires"
	cat
	printf '},"policy-aliases":{\n},"timestamp":"%s","vantages":1,"version":%s}\n' "$start" "$1"
}
# said FILE [VERSION]: what metadata say of a file.
said() {
	jq -n -c --argjson l "$(stat -c %s "$1")" --arg h "$(sha256sum <"$1" | cut -d' ' -f1)" --argjson v "${2:-0}" \
		'{length: $l, hashes: {sha256: $h}} + (if $v > 0 then {version: $v} else {} end)'
}
# put_target SITE NAME FILE: under its hashed name; prints what targets.json says of it.
put_target() {
	cp "$3" "$1/targets/$(sha256sum <"$3" | cut -d' ' -f1).$2"
	jq -n -c --arg n "$2" --argjson s "$(said "$3")" '{($n): $s}'
}
# The three files of a publication, each signed with the keys given: FILE on standard output.
targets_file() { # VERSION TARGETS-JSON KEY...
	local version=$1 all=$2
	shift 2
	jq -n -c --argjson v "$version" --argjson t "$all" --arg e "$expires" \
		'{_type: "targets", spec_version: "1.0.34", version: $v, expires: $e, targets: $t}' | tuf_sign "$@"
}
snapshot_file() { # VERSION TARGETS-FILE TARGETS-VERSION KEY...
	local version=$1 of=$2 of_version=$3
	shift 3
	jq -n -c --argjson v "$version" --argjson s "$(said "$of" "$of_version")" --arg e "$expires" \
		'{_type: "snapshot", spec_version: "1.0.34", version: $v, expires: $e, meta: {"targets.json": $s}}' | tuf_sign "$@"
}
timestamp_file() { # VERSION SNAPSHOT-FILE SNAPSHOT-VERSION KEY...
	local version=$1 of=$2 of_version=$3
	shift 3
	jq -n -c --argjson v "$version" --argjson s "$(said "$of" "$of_version")" --arg e "$timestamp_expires" \
		'{_type: "timestamp", spec_version: "1.0.34", version: $v, expires: $e, meta: {"snapshot.json": $s}}' | tuf_sign "$@"
}
# publish SITE VERSION LIST-FILE [ZST-FILE]: all signed with the keys in $keys; targets also by $more_keys.
publish() {
	local m=$1/metadata all
	all=$(put_target "$1" list.json "$3")
	[ -z "${4:-}" ] || all=$(jq -c -n --argjson a "$all" --argjson b "$(put_target "$1" list.json.zst "$4")" '$a + $b')
	targets_file "$2" "$all" "$keys/targets.pem" "${more_keys[@]}" >"$m/$2.targets.json"
	snapshot_file "$2" "$m/$2.targets.json" "$2" "$keys/snapshot.pem" >"$m/$2.snapshot.json"
	# What a client reads first appears last, and whole.
	timestamp_file "$2" "$m/$2.snapshot.json" "$2" "$keys/timestamp.pem" >"$m/timestamp.new" &&
		mv "$m/timestamp.new" "$m/timestamp.json"
}
