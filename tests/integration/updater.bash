# shellcheck shell=bash
# updater.bash: what a test of the updater begins with: a moment, authorities, entries, a configuration.
# Sourced after lib.bash; brings tuf.bash along.
#
# The times are those that tuf.bash wants, and may be set to others by the script.
# shellcheck disable=SC2034 # the script's, and tuf.bash's

# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"

start=2026-11-23T12:00:00Z
export PRELOAD25_NOW=$start
expires=2027-10-01T00:00:00Z
list_expires=2026-12-07T12:00:00Z
timestamp_expires=2026-12-05T12:00:00Z

# authorities NAME...: each has its folder $tmp/NAME.auth, and its root in $tmp/NAME.root.
authorities() {
	local name
	for name; do
		new_authority "$tmp/$name.auth" >"$tmp/log" || { not_ok "authority $name" "$tmp/log"; finish; }
		cp "$tmp/$name.auth/root.json" "$tmp/$name.root"
	done
}
# entry DOMAIN [MODE [MX [MAX_AGE]]]: a line of a list.
entry() {
	printf '"%s":{"auth":["pkix"],"max_age":%s,"mode":"%s","mxs":["%s"],"source":"mta-sts","tls":"1.3"}' \
		"$1" "${4:-2592000}" "${2:-enforce}" "${3:-mx.$1}"
}

# source_of NAME URL [LINE...]: a section of a configuration, for the authority of that name.
source_of() {
	if [ "$1" = main ]; then echo '[source]'; else echo "[source $1]"; fi
	printf '%s\n' "url = $2" "root = $tmp/$1.root" "${@:3}"
}
# configure NAME STATE-DIR MTA MAP [LINE...] <SOURCES: $tmp/NAME.conf; the lines go on in [install].
configure() {
	{
		cat
		printf '%s\n' '[state]' "dir = $2" '[install]' "mta = $3" "path = $4" "${@:5}"
	} >"$tmp/$1.conf"
}
updater() { preload25-update --config "$tmp/$1.conf" "${@:2}"; } # updater NAME ARGUMENT...

# says NAME TEXT: in what the command before printed.
says() {
	if grep -qF -- "$2" "$tmp/out"; then ok "$1"; else not_ok "$1 (want '$2')" "$tmp/out"; fi
}
