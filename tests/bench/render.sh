#!/bin/bash
# render.sh [ENTRIES]: a list into Postfix's cdb, against Postfix's own postmap (unpacked, not
# installed) on the equivalent text.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
root=${LAB_PACKAGES:-$top/build/lab-root}
"$top/scripts/lab-packages" "$root" postfix postfix-cdb || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# postmap wants its owner to exist, though it does nothing as that user.
printf 'compatibility_level = 3.6\nmail_owner = daemon\nsetgid_group = mail\n' >"$tmp/main.cf"
printf 'cdb\t%s\tdict_cdb_open\tmkmap_cdb_open\n' "$root/usr/lib/postfix/postfix-cdb.so" >"$tmp/dynamicmaps.cf"
printf 'shlib_directory = %s\nmeta_directory = %s\n' "$root/usr/lib/postfix" "$tmp" >>"$tmp/main.cf"
libs=$(printf '%s:' "$root/usr/lib/postfix" "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*)
printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/sbin/postmap -c %s "$@"\n' "$libs" "$root" "$tmp" >"$tmp/postmap"
chmod +x "$tmp/postmap"
"${B:-$top/build/rel}/bench/bench_render" "${1:-1000000}" "$tmp/postmap"
