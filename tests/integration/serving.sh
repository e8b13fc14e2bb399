#!/bin/bash
# The repository behind nginx, in object storage and in a git mirror, as preload25-repository(7) sets them
# up: the very texts of the manual. And what a reader costs them.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

if [ "${1:-}" != --inside ]; then
	"$top/scripts/lab-packages" "$top/build/lab-root" nginx rclone >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; exit 1; }
	as_root=()
	[ "$(id -u)" -eq 0 ] || as_root=(--map-root-user)
	if ! unshare "${as_root[@]}" --net true 2>"$tmp/log"; then
		sed 's/^/#   /' "$tmp/log"
		skip 'all of it: no namespaces for the servers here'
		exit 77
	fi
	unshare "${as_root[@]}" --net "$0" --inside
	exit
fi
ip link set lo up || { not_ok 'a network of our own'; finish; }
root=$top/build/lab-root
libs=$(find "$root/lib" "$root/usr/lib" -maxdepth 1 -type d | paste -sd:)
page=$top/data/man/preload25-repository.7
# text SECTION: the literal text in a section of the manual.
text() { sed -n "/^\.Sh $1\$/,/^\.Ed\$/p" "$page" | sed '1,/^\.Bd -literal/d; /^\.Ed$/d; s/\\e/\\/g'; }

auth=$tmp/auth
repo=$auth/repository
p25() { preload25 --config "$auth/preload25.conf" "$@"; }
{ preload25 init "$auth" && p25 build && p25 publish && p25 build && p25 publish; } >"$tmp/log" 2>&1
check 'an authority with two publications' test -e "$repo/metadata/2.targets.json"
: >"$repo/targets/.being-written.tmp-x"

# --- nginx ------------------------------------------------------------------------------------------
mkdir "$tmp/nginx"
cat >"$tmp/nginx.conf" <<END
daemon off;
master_process off;
pid $tmp/nginx.pid;
error_log $tmp/nginx.log info;
events {}
http {
	log_format short '\$request_method \$uri \$status \$bytes_sent';
	access_log $tmp/access.log short;
	client_body_temp_path $tmp/nginx/body;
	fastcgi_temp_path $tmp/nginx/fastcgi;
	proxy_temp_path $tmp/nginx/proxy;
	uwsgi_temp_path $tmp/nginx/uwsgi;
	scgi_temp_path $tmp/nginx/scgi;
	server {
		listen 127.0.0.1:8443 ssl;
		ssl_certificate $tmp/tls.pem;
		ssl_certificate_key $tmp/tls.key;
		root $repo;
	}
$(text NGINX | sed "s,/var/lib/preload25/repository,$repo,")
}
END
openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/tls.key"
openssl req -x509 -key "$tmp/tls.key" -out "$tmp/tls.pem" -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>"$tmp/log"
LD_LIBRARY_PATH=$libs "$root/usr/sbin/nginx" -c "$tmp/nginx.conf" -e "$tmp/nginx.log" &
nginx=$!
disown
trap 'kill "$nginx"; rm -rf "$tmp"' EXIT
await exists "$tmp/nginx.pid" || { not_ok 'nginx takes the configuration of the manual' "$tmp/nginx.log"; finish; }
ok 'nginx takes the configuration of the manual'

# served NAME STATUS CACHE PATH [CURL-ARGUMENT...]: CACHE is what Cache-Control says ("": nothing).
served() {
	local name=$1 status=$2 cache=$3 path=$4 got
	shift 4
	got=$(curl -s --noproxy '*' --path-as-is -o "$tmp/body" -D "$tmp/head" -w '%{http_code}' "$@" "http://127.0.0.1$path")
	got="$got $(tr -d '\r' <"$tmp/head" | sed -n 's/^Cache-Control: //p')"
	echo "got $got, want $status $cache" >"$tmp/seen"
	if [ "$got" = "$status $cache" ]; then ok "$name"; else not_ok "$name" "$tmp/seen"; fi
}
forever='public, max-age=31536000, immutable'
list=$(cd "$repo" && printf '%s\n' targets/*.list.json | head -n 1)
served 'a root' 200 "$forever" /metadata/1.root.json
served 'a snapshot' 200 "$forever" /metadata/2.snapshot.json
served 'a list by its hash' 200 "$forever" "/$list"
check '... is that list' cmp "$tmp/body" "$repo/$list"
served 'the timestamp' 200 'public, max-age=60' /metadata/timestamp.json
check '... as JSON' grep -qi '^content-type: application/json' "$tmp/head"
served 'a list by its plain name' 200 'public, max-age=60' /targets/list.json
served 'a compressed one' 200 'public, max-age=60' /targets/list.json.zst
check '... as it is' grep -qi '^content-type: application/zstd' "$tmp/head"
served 'the next root is not there' 404 '' /metadata/2.root.json
served 'nothing of git' 404 '' /.git/HEAD
served 'nor of anything else' 404 '' /.gitattributes
served 'nor what is being written' 404 '' /targets/.being-written.tmp-x
served 'no way out' 400 '' /metadata/../../preload25.conf
served 'nor by other names' 404 '' /metadata/%2e%2e/.git/HEAD
served 'nothing can be written' 403 '' /targets/list.json -X PUT -d x
rm "$repo/targets/.being-written.tmp-x"

# --- what a reader costs ----------------------------------------------------------------------------
cat >"$tmp/u.conf" <<END
[source]
url = http://127.0.0.1
root = $repo/metadata/1.root.json
[state]
dir = $tmp/state
[install]
mta = texthash
path = $tmp/map
reload = no
END
update() { preload25-update --config "$tmp/u.conf"; }
# requests NAME WANT: those of the last run, in order; the last one may be a delta in place of the list.
requests() {
	# It is written behind the reply.
	await line "$tmp/access.log" "(${2##* }|delta/.*\.json\.zst) " >/dev/null
	sed -n 's,^GET /\(metadata/\)\{0\,1\}\([^ ]*\) .*,\2,p' "$tmp/access.log" |
		sed -E 's,^targets/(delta/)?[0-9a-f]{64}\.,\1,; s,^delta/.*\.json\.zst$,list.json.zst,' | paste -sd' ' >"$tmp/seen"
	if [ "$(cat "$tmp/seen")" = "$2" ]; then ok "$1"; else not_ok "$1" "$tmp/seen"; fi
}
: >"$tmp/access.log"
check 'a first visit' update
requests '... asks for each file once' '2.root.json timestamp.json 2.snapshot.json 2.targets.json list.json.zst'
: >"$tmp/access.log"
check 'a visit without news' update
requests '... makes two requests' '2.root.json timestamp.json'
octets=$(awk '{ n += $4 } END { print n }' "$tmp/access.log")
if [ "$octets" -lt 1500 ]; then ok "... and costs $octets octets, headers included"; else
	not_ok "a visit without news costs $octets octets"; fi
check '... the body of the timestamp less than a thousand' test "$(stat -c %s "$repo/metadata/timestamp.json")" -lt 1000
check 'a third publication' eval 'p25 build && p25 publish'
: >"$tmp/access.log"
check 'a visit with news' update
requests '... gets what is new' '2.root.json timestamp.json 3.snapshot.json 3.targets.json list.json.zst'

# --- by TLS -----------------------------------------------------------------------------------------
by_tls() { # URL [CA-FILE]
	sed "s,^url = .*,url = $1${2:+\nca_file = $2}," "$tmp/u.conf" >"$tmp/tls.conf"
	preload25-update --config "$tmp/tls.conf"
}
expect 'https, by an authority that nobody knows' 3 '[Cc]ertificate|SSL' by_tls https://localhost:8443
expect 'and by one that is configured' 0 '' by_tls https://localhost:8443 "$tmp/tls.pem"
expect 'but not under another name' 3 'SSL|name|certificate' by_tls https://127.0.0.1:8443 "$tmp/tls.pem"

# --- object storage ---------------------------------------------------------------------------------
text 'OBJECT STORAGE' >"$tmp/upload"
: >"$repo/targets/.being-written.tmp-x"
export SOURCE=$repo BUCKET=$tmp/bucket RCLONE_CONFIG=$tmp/rclone.conf
: >"$RCLONE_CONFIG"
PATH=$root/usr/bin:$PATH
check 'the upload of the manual' sh -e "$tmp/upload"
(cd "$repo" && find metadata targets -type f ! -name '.*' | sort) >"$tmp/want"
(cd "$BUCKET" && find . -type f | sed 's,^\./,,' | sort) >"$tmp/got"
check '... has all that is published, and nothing else' diff "$tmp/want" "$tmp/got"
# Each step by itself: what it would carry, and under which header.
carries() { # STEP
	grep '^copy ' -A1 "$tmp/upload" | sed -n "$((2 * $1 - 1)),$((2 * $1))p"
}
for step in 1 2 3; do
	BUCKET=$tmp/step$step
	{ grep '^copy()' "$tmp/upload"; carries $step; } >"$tmp/one"
	BUCKET=$BUCKET sh -e "$tmp/one" >"$tmp/log" 2>&1
	(cd "$BUCKET" && find . -type f | sed 's,^\./,,' | sort) >"$tmp/step$step.files"
done
check 'first what has a name for ever' test -z \
	"$(grep -vE '^metadata/[0-9]+\.|^targets/(.*/)?[0-9a-f]{64}\.' "$tmp/step1.files")" -a -s "$tmp/step1.files"
check '... with a header that says so' grep -q immutable <(carries 1)
check 'then the plain names' grep -qx 'targets/list.json' "$tmp/step2.files"
check 'the timestamp last, and alone' test "$(cat "$tmp/step3.files")" = metadata/timestamp.json
check '... and neither is immutable' test -z "$({ carries 2; carries 3; } | grep immutable)"

rm "$repo/targets/.being-written.tmp-x"

# --- git mirror -------------------------------------------------------------------------------------
text 'GIT MIRRORS' >"$tmp/mirror"
export CLONE=$tmp/clone.git WWW=$tmp/mirrored
mkdir "$WWW"
git clone -q --mirror "$repo" "$CLONE"
mirror() { sh -e "$tmp/mirror"; }
check 'the mirror of the manual' mirror
sed -i "s,^url = .*,url = file:$WWW/current," "$tmp/u.conf"
check 'a reader takes it' update
: >"$tmp/gone"
for _ in 1 2 3; do
	check 'another publication' eval 'p25 build && p25 publish'
	before=$(readlink "$WWW/current")
	mirror >"$tmp/log" 2>&1 || not_ok 'the mirror again' "$tmp/log"
	[ -d "$WWW/$before" ] || echo "$before" >>"$tmp/gone"
done
check 'it follows' diff -r "$repo/metadata" "$WWW/current/metadata"
check '... with the state before left for who reads it' test ! -s "$tmp/gone"
check '... and none that is older' test "$(find "$WWW" -mindepth 1 -maxdepth 1 -type d | wc -l)" = 2
check 'a run without news changes nothing' mirror
check 'a reader takes that, too' update
sed "s,^path = .*,path = $CLONE," "$auth/preload25.conf" >"$tmp/clone.conf"
check 'the clone can be looked through' preload25 --config "$tmp/clone.conf" publish --verify
finish
