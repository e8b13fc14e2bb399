# Shared by the benchmarks of the engine (sourced, bash): worlds to measure in, and runs of which the
# least CPU time (or what $least_of names) counts, because other work on the machine can only add to it.
#
# Processes of the lab (name server, scripted servers) run beside what is measured and are not
# counted. B is the build directory (default build/rel); $work is a folder that goes away at the end.
# BENCH_FULL=1 asks for the sizes of the goals where the usual ones are smaller.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build/rel}
case $B in /*) ;; *) B=$top/$B ;; esac
PATH=$B/bench:$B/lab:$PATH
export PATH B LAB_ROOT=$top/build/lab-root
work=$(mktemp -d "${TMPDIR:-/tmp}/preload25-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
runs=3
least_of=cpu_s

# in_a_world "${1:-}" OPTION of lab make...: the script, whose first argument this is, runs again with
# --inside in a lab made so, and ends with that run's exit code. Returns only inside.
in_a_world() {
	[ "$1" != --inside ] || return 0
	shift
	lab make "$work/lab" "$@" >"$work/made" || exit
	sed 's/^[^:]*: //' "$work/made"
	lab run "$work/lab" -- "$0" --inside
	exit
}

size() { if [ -n "${BENCH_FULL:-}" ]; then echo "$2"; else echo "$1"; fi; } # size USUAL FULL

# engine NAME DOMAINS OPTION of bench_engine...: one run over the domains of a file; its figures are in
# $work/NAME.
engine() {
	local name=$1 domains=$2
	shift 2
	bench_engine --forward "$LAB_DNS" --anchor "$LAB_TRUST_ANCHOR" --ca "$LAB_CA_FILE" \
		--allow 127.0.0.0/8 --smtp-port "$LAB_SMTP_PORT" --https-port "$LAB_HTTPS_PORT" \
		--special --quiet --figures "$work/$name" "$@" <"$domains" 2>"$work/err" ||
		{ cat "$work/err" >&2; exit 1; }
}

figure() { sed -n "s/^$2=//p" "$work/$1"; } # figure NAME WHICH

# least NAME COMMAND...: COMMAND, which leaves its figures in $work/NAME, so many times as $runs; those of
# the run with the least stay.
least() {
	local name=$1 i
	shift
	for ((i = 0; i < runs; i++)); do
		"$@" || exit
		if [ ! -e "$work/$name.least" ] ||
			awk "BEGIN { exit !($(figure "$name" "$least_of") < $(figure "$name.least" "$least_of")) }"; then
			cp "$work/$name" "$work/$name.least"
		fi
	done
	mv "$work/$name.least" "$work/$name"
}

# ratio TEXT OURS BASELINE GOAL: the last line of a benchmark.
ratio() {
	awk -v text="$1" -v ours="$2" -v base="$3" -v goal="$4" 'BEGIN {
		r = ours / base
		printf "ratio         %.2f %s (goal: at most %s)%s\n", r, text, goal, (r > goal ? ": MISSED" : "")
	}'
}
