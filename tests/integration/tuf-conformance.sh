#!/bin/bash
# The TUF client against the public conformance suite (theupdateframework/tuf-conformance), which is
# not part of this tree: TUF_CONFORMANCE names a command that runs it against the client given as its
# argument ("pytest tuf_conformance --entrypoint", say, in a checkout of the suite).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

if [ -z "${TUF_CONFORMANCE:-}" ]; then
	echo 'skip the TUF conformance suite: TUF_CONFORMANCE does not name a command that runs it'
	exit 77
fi
make -s -C "$top" tuf-client || exit
# The command may have arguments.
# shellcheck disable=SC2086
$TUF_CONFORMANCE "$top/build/rel/tuf-client" >"$tmp/log" 2>&1
rc=$?
passed=$(sed -n 's/.*\b\([0-9]\{1,\}\) passed.*/\1/p' "$tmp/log" | tail -n 1)
if [ "$rc" -eq 0 ] && [ "${passed:-0}" -gt 0 ]; then ok "the TUF conformance suite ($passed tests)"; else
	not_ok 'the TUF conformance suite' "$tmp/log"
fi
finish
