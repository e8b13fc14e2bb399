# Shared by the integration tests (sourced, bash). Each check prints "ok NAME" or "not ok NAME" with
# what was seen; finish exits non-zero when one failed.
#
# B is the build directory of the programs under test (default build/rel); top is the checkout; tmp
# is a directory that goes away at the end.

set -u
# shellcheck disable=SC2034 # used by the scripts that source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build/rel}
case $B in /*) ;; *) B=$top/$B ;; esac
PATH=$B:$B/lab:/usr/sbin:/sbin:$PATH
export PATH B
tmp=$(mktemp -d "${TMPDIR:-/tmp}/preload25-it-XXXXXX")
# Whatever a test may have mounted below it stays untouched.
trap 'rm -rf --one-file-system "$tmp"' EXIT
failures=0

ok() { echo "ok $*"; }
not_ok() { # not_ok NAME [FILE with what was seen]
	echo "not ok $1"
	[ -z "${2:-}" ] || sed 's/^/#   /' "$2"
	failures=$((failures + 1))
}
skip() { echo "skip $*"; }

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1
	shift
	if "$@" >"$tmp/check.out" 2>&1; then ok "$name"; else not_ok "$name" "$tmp/check.out"; fi
}

# without_clock FILE: standard error without what both programs say about PRELOAD25_NOW.
without_clock() { sed -i '/: the clock stands at .* (PRELOAD25_NOW)$/d' "$1"; }

# expect NAME CODE REGEX COMMAND...: exits with CODE, and its standard error is exactly one line that
# matches REGEX (an empty REGEX: nothing on standard error), what it says about PRELOAD25_NOW apart.
# Standard output is left in $tmp/out.
expect() {
	local name=$1 code=$2 regex=$3 rc=0
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
	without_clock "$tmp/err"
	{
		echo "command: $*"
		echo "exit $rc, want $code; standard error (want $regex):"
		cat "$tmp/err"
	} >"$tmp/seen"
	if [ "$rc" -ne "$code" ]; then
		not_ok "$name" "$tmp/seen"
	elif [ -z "$regex" ] && [ -s "$tmp/err" ]; then
		not_ok "$name" "$tmp/seen"
	elif [ -n "$regex" ] && { [ "$(wc -l <"$tmp/err")" -ne 1 ] || ! grep -qE "$regex" "$tmp/err"; }; then
		not_ok "$name" "$tmp/seen"
	else
		ok "$name"
	fi
}

# in_a_lab "${1:-}" [OPTION of lab make]...: the script, whose first argument this is, runs again with
# --inside in a lab of its own and ends with that run's exit code. Returns only inside.
in_a_lab() {
	[ "$1" != --inside ] || return 0
	shift
	"$top/scripts/lab-packages" "$top/build/lab-root" nsd >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; exit 1; }
	export LAB_ROOT=$top/build/lab-root
	if ! lab make "$tmp/lab" "$@" >"$tmp/log" 2>&1; then
		not_ok 'a lab' "$tmp/log"
		finish
	fi
	lab run "$tmp/lab" -- "$0" --inside
	exit
}

# only_in_the_copy: ends a script that is to change the machine it runs on, unless that is the copy which
# tests/lab/mail/installed has made: nothing else has the checkout mounted there.
only_in_the_copy() {
	[ "${LAB_BIN-}" = /run/lab/bin/lab ] && mountpoint -q /run/lab/top && return
	echo "$0: runs itself so, on a copy of this machine" >&2
	exit 2
}

finish() {
	[ "$failures" -eq 0 ]
	exit
}
