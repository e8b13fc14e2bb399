# shellcheck shell=bash
# authority.bash: an authority that lives in the lab. Sourced by tests and by the quickstart.
#
# Needs preload25 in PATH and a started lab (lab start, lab run). The clock is an input: a week of
# crawls takes as long as the crawls do.

# now_s, at SECONDS COMMAND...: the present, and a command that believes it is another moment.
now_s() { date +%s; }
at() {
	local t=$1
	shift
	PRELOAD25_NOW=$(date -u -d "@$t" +%Y-%m-%dT%H:%M:%SZ) "$@"
}

# authority_make DIR LABDIR: a new authority in DIR that looks at the lab's internet.
authority_make() {
	preload25 init "$1" >"$1.init.log" 2>&1 || {
		cat "$1.init.log" >&2
		return 1
	}
	cat "$2/preload25.conf" >>"$1/preload25.conf"
}

# authority_crawl DIR SECONDS: one look at everything that is due at that moment. A ^C or a failure
# of the crawl is the caller's to handle.
authority_crawl() { at "$2" preload25 --config "$1/preload25.conf" crawl --once; }

# authority_week DIR [LAST-SECONDS]: eight daily looks, the last one now (or at LAST-SECONDS), so
# that what has passed all of them is listed.
authority_week() {
	local last=${2:-$(now_s)} day

	for day in 8 7 6 5 4 3 2 1 0; do
		authority_crawl "$1" $((last - day * 86400)) || return
	done
}

# authority_quick DIR: two looks, an hour apart, are enough to be listed: for tests of what comes later.
authority_quick() {
	printf '[life]\njoin = 3600\n' >>"$1/preload25.conf"
	authority_crawl "$1" $(($(now_s) - 7 * 3600)) && authority_crawl "$1" "$(now_s)"
}

# authority_publish DIR [SECONDS]
authority_publish() {
	local t=${2:-$(now_s)}

	at "$t" preload25 --config "$1/preload25.conf" build &&
		at "$t" preload25 --config "$1/preload25.conf" publish
}
