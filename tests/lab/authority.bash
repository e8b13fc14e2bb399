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

# truth_counts TRUTH: "N fit, N not fit, N" as a crawl of all its domains must end ("could not be told").
truth_counts() {
	jq -n -r '[inputs | if .verdict == "unknown" then 2 elif .eligible then 0 else 1 end] | . as $all |
		[0, 1, 2 | . as $k | [$all[] | select(. == $k)] | length] |
		"\(.[0]) fit, \(.[1]) not fit, \(.[2])"' "$1"
}

# truth_differs TRUTH REPORTS: the domains of which check --json says something else, one JSON object
# each: verdict, what was verified, mode, and the findings that must be there.
truth_differs() {
	jq -n -c --slurpfile truth "$1" --slurpfile got "$2" '
		($got | map({key: .domain, value: .}) | from_entries) as $by | $truth[] | . as $t | $by[.domain] as $g |
		select($g == null or $g.verdict != $t.verdict and ($t.verdict != "fail" or $g.verdict != "pass" or $g.eligible)
			or $g.eligible != $t.eligible
			or ($t.auth != null and $t.auth != $g.auth) or ($t.mode != null and $t.mode != $g.mode)
			or ($t.codes - [$g.findings[].code] | length > 0)) |
		{domain, kind, want: [$t.verdict, $t.auth, $t.mode, $t.codes],
			got: [$g.verdict, $g.auth, $g.mode, [$g.findings[] | select(.severity != "info").code]]}'
}
