#!/bin/bash
# dns.sh: a crawl that stops after the look-ups, against an unbound daemon that answers the same
# look-ups, validated: same forwarder, same trust anchor, same sizes of caches, both cold. Of the daemon
# only its own CPU time counts, not that of who asks.
# shellcheck source=tests/bench/lib.bash
. "$(dirname "$0")/lib.bash"
"$top/scripts/lab-packages" "$LAB_ROOT" unbound >/dev/null || exit
in_a_world "${1:-}" --domains "$(size 4000 20000)" \
	--kinds plain,plain-own,dane-no-optin,dane-no-optin-own,sts-testing-own

libs=$(printf '%s:' "$LAB_ROOT"/usr/lib/*-linux-gnu* "$LAB_ROOT"/lib/*-linux-gnu*)
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
# A port that was free a moment ago: somebody else may take it, then the daemon says so and ends.
port=$(bash -c 'for ((p = 20000 + RANDOM % 20000; ; p++)); do
	[ -n "$(ss -Hlun "sport = :$p")" ] || { echo "$p"; exit; }
done')
cat >"$work/unbound.conf" <<-END
	server:
		interface: 127.0.0.1@$port
		do-ip6: no
		username: ""
		chroot: ""
		directory: "$work"
		pidfile: ""
		use-syslog: no
		logfile: "$work/unbound.log"
		do-not-query-localhost: no
		local-zone: "test." nodefault
		trust-anchor-file: "$LAB_TRUST_ANCHOR"
		num-threads: 1
		msg-cache-size: 16m
		rrset-cache-size: 32m
		key-cache-size: 8m
		neg-cache-size: 4m
		outgoing-range: 4096
		num-queries-per-thread: 4096
	forward-zone:
		name: "."
		forward-addr: $LAB_DNS
END

# What the crawl asks for, as it says itself; grouped by domain, each group in the crawl's order.
engine asked "$LAB_DIR/domains.txt" --look-ups-only --debug
awk -F': ' '$3 == "dns" {
	split($4, look, " ")
	n = split(look[2], label, ".")
	print (n > 1 ? label[n - 1] "." label[n] : label[1]), look[2], look[1]
}' "$work/err" | sort -s -k 1,1 >"$work/look-ups"

daemon() {
	local pid before asked answered secure failed

	rm -f "$work/unbound.log"
	LD_LIBRARY_PATH=$libs "$LAB_ROOT/usr/sbin/unbound" -d -c "$work/unbound.conf" >"$work/out" 2>&1 &
	pid=$!
	await -t 30 line "$work/unbound.log" 'start of service' >/dev/null ||
		{ cat "$work/out" "$work/unbound.log" >&2; kill "$pid"; exit 1; }
	before=$(ticks "$pid")
	read -r asked answered secure failed < <(bench_stub 127.0.0.1 "$port" 200 <"$work/look-ups") || exit
	awk -v t=$(($(ticks "$pid") - before)) -v hz="$(getconf CLK_TCK)" -v asked="$asked" -v answered="$answered" \
		-v secure="$secure" -v failed="$failed" 'BEGIN {
		printf "cpu_s=%.2f\nasked=%d\nanswered=%d\nsecure=%d\nfailed=%d\n", t / hz, asked, answered, secure, failed
	}' >"$work/daemon"
	kill "$pid" && wait "$pid"
}
least daemon daemon
least dns engine dns "$LAB_DIR/domains.txt" --look-ups-only
if [ "$(figure daemon asked)" != "$(figure dns dns_queries)" ] || [ "$(figure daemon failed)" != 0 ]; then
	echo "the daemon was asked $(figure daemon asked) times and failed $(figure daemon failed) times," \
		"the crawl looked up $(figure dns dns_queries) times" >&2
	exit 1
fi
if [ "$(figure dns smtp_sessions)" != 0 ] || [ "$(figure dns policy_fetches)" != 0 ]; then
	echo 'look-ups only, but somebody was connected to' >&2
	exit 1
fi
awk -v n="$(figure dns domains)" -v dns="$(figure dns cpu_s)" -v daemon="$(figure daemon cpu_s)" \
	-v asked="$(figure daemon asked)" -v secure="$(figure daemon secure)" 'BEGIN {
	printf "look-ups      %d of %d domains, %d of them secure\n", asked, n, secure
	printf "look-ups only %.3f ms of CPU per domain (resolver in process, reports and all)\n", dns / n * 1000
	printf "unbound       %.3f ms (the daemon alone)\n", daemon / n * 1000
}'
ratio 'times the CPU of the daemon' "$(figure dns cpu_s)" "$(figure daemon cpu_s)" 1.5
