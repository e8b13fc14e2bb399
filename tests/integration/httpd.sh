#!/bin/bash
# httpd.sh: the web server of the tests is one that a test may rely on.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

mkdir -p "$tmp/www/sub"
echo hello >"$tmp/www/a.json"
: >"$tmp/www/sub/empty"
ln -s /etc/passwd "$tmp/www/out"
ln -s a.json "$tmp/www/within"
echo secret >"$tmp/secret"
httpd --with-parent --root "$tmp/www" --port-file "$tmp/port" --log "$tmp/log" &
server=$!
await exists "$tmp/port" || { not_ok 'httpd starts'; finish; }
url=http://127.0.0.1:$(cat "$tmp/port")

# answer NAME STATUS BODY-BYTES PATH [CURL-ARGUMENT...]
answer() {
	local name=$1 want="$2 $3" path=$4 got
	shift 4
	got=$(curl -s --noproxy '*' --path-as-is -o "$tmp/body" -w '%{http_code} %{size_download}' "$@" "$url$path")
	echo "got $got, want $want" >"$tmp/seen"
	if [ "$got" = "$want" ]; then ok "$name"; else not_ok "$name" "$tmp/seen"; fi
}

answer 'a file' 200 6 /a.json
answer 'an empty file' 200 0 /sub/empty
answer 'a link that stays inside' 200 6 /within
answer 'HEAD has no body' 200 0 /a.json -I
answer 'a link that leads out' 403 14 /out
answer 'dots' 403 14 /../secret
answer 'dots, escaped' 403 14 /sub/%2e%2e/%2e%2e/secret
answer 'a folder is not listed' 404 14 /sub/
answer 'the root is not listed' 404 14 /
answer 'nothing there' 404 14 /none
answer 'a NUL' 400 16 /a.json%00.txt
answer 'POST' 405 23 /a.json -d x
etag=$(curl -sI --noproxy '*' "$url/a.json" | tr -d '\r' | sed -n 's/^ETag: //p')
answer 'the same entity tag again' 304 0 /a.json -H "If-None-Match: $etag"
answer 'another entity tag' 200 6 /a.json -H 'If-None-Match: "other"'
echo "hello again" >"$tmp/www/new" && mv "$tmp/www/new" "$tmp/www/a.json"
answer 'a replaced file has another entity tag' 200 12 /a.json -H "If-None-Match: $etag"
check 'the log has one line per request, with the bytes of the body' \
	awk -F'\t' 'NF != 5 { exit 1 } END { exit !(NR == 16 && $3 == "/a.json" && $4 == 200 && $5 == 12) }' "$tmp/log"
kill "$server"
check 'it ends when told to' wait "$server"
finish
