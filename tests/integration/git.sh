#!/bin/bash
# The published history: commits that git itself believes, remotes of every kind, none of which holds up
# the others, and a repository that somebody else has touched.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# A network of our own, so that servers may have fixed ports; and mounts, for sshd's own user.
if [ "${1:-}" != --inside ]; then
	"$top/scripts/lab-packages" "$top/build/lab-root" openssh-server nginx fcgiwrap >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; exit 1; }
	as_root=()
	[ "$(id -u)" -eq 0 ] || as_root=(--map-root-user)
	if ! unshare "${as_root[@]}" --mount --net true 2>"$tmp/log"; then
		sed 's/^/#   /' "$tmp/log"
		skip 'all of it: no namespaces for the servers here'
		exit 77
	fi
	unshare "${as_root[@]}" --mount --net "$0" --inside
	exit
fi
ip link set lo up || { not_ok 'a network of our own'; finish; }
root=$top/build/lab-root
libs=$(find "$root/lib" "$root/usr/lib" -maxdepth 1 -type d | paste -sd:)

servers=()
end_servers() {
	local pid
	for pid in "${servers[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap end_servers EXIT

auth=$tmp/auth
repo=$auth/repository
conf=$auth/preload25.conf
mkdir -m 700 "$tmp/home" "$tmp/home/.ssh"
export HOME=$tmp/home GIT_CONFIG_NOSYSTEM=1
unset SSH_AUTH_SOCK
# configure LINE...: the configuration as init wrote it, and these in [repository].
configure() {
	cp "$tmp/first.conf" "$conf"
	printf '%s\n' '[repository]' "$@" >>"$conf"
}
# shellcheck disable=SC2120 # by way of check and expect
publish() { preload25 --config "$conf" publish "$@"; }
head_of() { git -C "$1" rev-parse main 2>/dev/null; }
# has NAME REPOSITORY: its main is what was published last.
has() {
	if [ "$(head_of "$2")" = "$(head_of "$repo")" ]; then ok "$1"; else
		git -C "$2" log --oneline -3 main >"$tmp/seen" 2>&1
		not_ok "$1" "$tmp/seen"
	fi
}

preload25 init "$auth" >"$tmp/log" 2>&1 && cp "$conf" "$tmp/first.conf" &&
	preload25 --config "$conf" build >>"$tmp/log" 2>&1 && publish >>"$tmp/log" 2>&1
check 'an authority with a list' test -e "$repo/metadata/timestamp.json"

# --- commits ----------------------------------------------------------------------------------------
git -C "$repo" log -1 --format=%B >"$tmp/message"
check 'the message has the version' grep -qx 'list 1: 0 entries (+0 -0 ~0)' "$tmp/message"
check '... the counts' grep -qx 'Added 0, removed 0, changed 0; in trouble 0\.' "$tmp/message"
check "... and the brake's state" \
	grep -qx 'Brake: 0 removed, demoted or relaxed of 0 before, within the limit\.' "$tmp/message"
configure 'committer_name = List Example' 'committer_mail = list@example.org'
check 'an author is configured' publish
check 'and is on the commit' test \
	"$(git -C "$repo" log -1 --format='%an <%ae> %cn <%ce>')" = \
	'List Example <list@example.org> List Example <list@example.org>'
configure 'committer_name = List <Example>'
expect 'one that git cannot write is refused' 2 'committer_name = .*not fit for the author' publish

ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/sign"
openssl genpkey -algorithm ed25519 -out "$tmp/sign.pem" 2>"$tmp/log"
chmod 600 "$tmp/sign.pem"
# shown SIGNERS: what git says of the signature of HEAD.
shown() { git -C "$repo" -c gpg.ssh.allowedSignersFile="$1" log -1 --show-signature; }
echo "list@example.org $(cat "$tmp/sign.pub")" >"$tmp/signers"
configure 'committer_mail = list@example.org' "sign_key = $tmp/sign"
check 'a commit signed with a key of ssh-keygen' publish
check 'git says Good' grep -q '^Good "git" signature for list@example.org with ED25519 key' <(shown "$tmp/signers" 2>&1)
check 'git verify-commit agrees' git -C "$repo" -c gpg.ssh.allowedSignersFile="$tmp/signers" verify-commit HEAD
ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/other"
echo "list@example.org $(cat "$tmp/other.pub")" >"$tmp/strangers"
check 'and not Good for another key' grep -q 'No principal matched' <(shown "$tmp/strangers" 2>&1)
# The same commit with one word changed must not pass: the check above has teeth.
forged=$(git -C "$repo" cat-file commit HEAD | sed 's/^timestamp/Timestamp/' |
	git -C "$repo" hash-object -t commit -w --stdin)
if git -C "$repo" -c gpg.ssh.allowedSignersFile="$tmp/signers" verify-commit "$forged" 2>"$tmp/err"; then
	not_ok 'a changed message is not Good'
else
	check 'a changed message is not Good' grep -qi 'signature' "$tmp/err"
fi
configure 'committer_mail = list@example.org' "sign_key = $tmp/sign.pem"
check 'a commit signed with a key of openssl' publish
ssh-keygen -y -f "$tmp/sign.pem" >"$tmp/pem.pub" 2>"$tmp/log" ||
	# ssh-keygen reads no PKCS#8 of Ed25519: the public half by hand.
	{ printf 'ssh-ed25519 ' && { printf '\0\0\0\13ssh-ed25519\0\0\0\40' &&
		openssl pkey -in "$tmp/sign.pem" -pubout -outform DER | tail -c 32; } | base64 -w0 && echo; } >"$tmp/pem.pub"
echo "list@example.org $(cat "$tmp/pem.pub")" >"$tmp/pem.signers"
check 'git says Good of it, too' grep -q '^Good "git" signature for list@example.org' <(shown "$tmp/pem.signers" 2>&1)
check 'git fsck is content with the history' git -C "$repo" fsck --strict
before=$(head_of "$repo")
chmod 640 "$tmp/sign"
configure "sign_key = $tmp/sign"
expect 'a key that others can read is refused' 4 'sign_key: .*mode 640' publish
chmod 600 "$tmp/sign"
configure "sign_key = $tmp/nothing"
expect 'a key that is not there' 2 'sign_key: .*nothing: cannot read' publish
ssh-keygen -q -t ed25519 -N 'secret' -C '' -f "$tmp/locked"
configure "sign_key = $tmp/locked"
expect 'a key with a pass phrase' 2 'sign_key: .*pass phrase' publish
check 'nothing was published meanwhile' test "$(head_of "$repo")" = "$before"

# --- remotes ----------------------------------------------------------------------------------------
for r in path ssh https hangs; do git init -q --bare "$tmp/$r.git"; done
configure 'remote = ../path.git'
check 'a local path, relative to the configuration' publish
has 'has the publication' "$tmp/path.git"

# sshd wants a user of its own, and a folder for it.
ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/hostkey"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/pushkey"
cat >"$tmp/sshd_config" <<END
ListenAddress 127.0.0.1:2222
HostKey $tmp/hostkey
PidFile $tmp/sshd.pid
AuthorizedKeysFile $tmp/pushkey.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv PATH=$PATH
END
start_sshd() {
	{ grep -v '^sshd:' /etc/passwd; echo 'sshd:x:65533:65534::/run/sshd:/bin/false'; } >"$tmp/passwd"
	mount --bind "$tmp/passwd" /etc/passwd && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd || return
	LD_LIBRARY_PATH=$libs "$root/usr/sbin/sshd" -D -e -f "$tmp/sshd_config" 2>"$tmp/sshd.log" &
	sshd=$!
	disown
	servers+=("$sshd")
	await line "$tmp/sshd.log" 'Server listening' >/dev/null
}
ssh_url=ssh://$(id -un)@127.0.0.1:2222$tmp/ssh.git
# Inside a user namespace with one user sshd cannot give up its own.
if [ "$(awk '{ n += $3 } END { printf "%d", n }' /proc/self/uid_map)" -le 1 ]; then
	skip 'a remote by ssh: sshd needs root'
	ssh_url=$tmp/ssh.git
elif ! start_sshd; then
	not_ok 'sshd starts' "$tmp/sshd.log"
	finish
else
	configure "remote = $ssh_url" "push_key = $tmp/pushkey" 'push_tries = 1'
	expect 'ssh: a host that is not known' 3 'push: ssh://.*known_hosts' publish
	echo "[127.0.0.1]:2222 $(cat "$tmp/hostkey.pub")" >"$HOME/.ssh/known_hosts"
	check 'ssh, with a key of its own' publish
	has 'has the publication' "$tmp/ssh.git"
	configure "remote = $ssh_url" "push_key = $tmp/other" 'push_tries = 1'
	expect 'ssh: a key that is not let in' 3 'push: ssh://' publish
fi

# git's own server program behind nginx.
# The address stands in the subject: libgit2 1.5 takes none in subjectAltName, and "localhost" wants a resolver.
openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/tls.key"
openssl req -x509 -key "$tmp/tls.key" -out "$tmp/tls.pem" -days 2 \
	-subj /CN=127.0.0.1 2>"$tmp/log"
git -C "$tmp/https.git" config http.receivepack true
printf 'me:%s\n' "$(openssl passwd -apr1 secret)" >"$tmp/users"
mkdir "$tmp/nginx"
cat >"$tmp/nginx.conf" <<END
daemon off;
master_process off;
pid $tmp/nginx.pid;
error_log $tmp/nginx.log info;
events {}
http {
	access_log $tmp/access.log;
	client_body_temp_path $tmp/nginx/body;
	fastcgi_temp_path $tmp/nginx/fastcgi;
	proxy_temp_path $tmp/nginx/proxy;
	uwsgi_temp_path $tmp/nginx/uwsgi;
	scgi_temp_path $tmp/nginx/scgi;
	client_max_body_size 0;
	server {
		listen 127.0.0.1:8443 ssl;
		ssl_certificate $tmp/tls.pem;
		ssl_certificate_key $tmp/tls.key;
		auth_basic git;
		auth_basic_user_file $tmp/users;
		location / {
			fastcgi_pass unix:$tmp/fcgi.socket;
			fastcgi_param SCRIPT_FILENAME $(git --exec-path)/git-http-backend;
			fastcgi_param GIT_PROJECT_ROOT $tmp;
			fastcgi_param GIT_HTTP_EXPORT_ALL 1;
			fastcgi_param PATH_INFO \$uri;
			fastcgi_param QUERY_STRING \$query_string;
			fastcgi_param REQUEST_METHOD \$request_method;
			fastcgi_param CONTENT_TYPE \$content_type;
			fastcgi_param CONTENT_LENGTH \$content_length;
			fastcgi_param REMOTE_USER \$remote_user;
		}
	}
}
END
LD_LIBRARY_PATH=$libs "$root/usr/sbin/fcgiwrap" -s "unix:$tmp/fcgi.socket" 2>"$tmp/fcgi.log" &
servers+=($!)
disown
LD_LIBRARY_PATH=$libs "$root/usr/sbin/nginx" -c "$tmp/nginx.conf" -e "$tmp/nginx.log" &
nginx=$!
servers+=("$nginx")
disown
if ! await exists "$tmp/fcgi.socket" || ! await exists "$tmp/nginx.pid"; then
	not_ok 'nginx starts' "$tmp/nginx.log"
	finish
fi
https_url=https://me:secret@127.0.0.1:8443/https.git
# ca_file belongs to another section.
https_conf() {
	configure "$@"
	printf '[network]\nca_file = %s\n' "$tmp/tls.pem" >>"$conf"
}
configure "remote = $https_url" 'push_tries = 1'
expect 'https: a certificate that nobody knows' 3 'push: https://me:\*\*\*@127.0.0.1' publish
https_conf "remote = $https_url" 'push_tries = 1'
check 'https, with user and password' publish
has 'has the publication' "$tmp/https.git"
https_conf "remote = https://me:wrong@127.0.0.1:8443/https.git" 'push_tries = 1'
expect 'https: a wrong password is refused, and not shown' 3 'push: https://me:\*\*\*@' publish
check 'anywhere' test -z "$(grep wrong "$tmp/err")"

# All at once. One server accepts and never answers, one remote is not there. The others must be done within
# the same time, on a busy machine, too.
kill -STOP "$nginx"
https_conf "remote = $https_url" "remote = $tmp/nowhere.git" "remote = ssh://127.0.0.1:2223/x.git" \
	'remote = ../path.git' "remote = $ssh_url" "push_key = $tmp/pushkey" 'push_timeout = 15' 'push_tries = 2'
start=$SECONDS
publish >"$tmp/out" 2>"$tmp/err"
rc=$?
echo "exit $rc after $((SECONDS - start)) s" >>"$tmp/err"
if [ "$rc" -eq 2 ] && [ "$(wc -l <"$tmp/err")" -eq 4 ] &&
	grep -q 'push: https://me:\*\*\*@127.0.0.1:8443/https.git: no answer within 15 s' "$tmp/err" &&
	grep -q "push: ssh://127.0.0.1:2223/x.git: " "$tmp/err" &&
	grep -q "push: \[repository\] remote: $tmp/nowhere.git: there is no git repository" "$tmp/err"; then
	ok 'each remote that fails is named once'
else
	not_ok 'each remote that fails is named once' "$tmp/err"
fi
has 'the others have it: by path' "$tmp/path.git"
has 'and by ssh' "$tmp/ssh.git"
https_conf "remote = $https_url" 'push_timeout = 2'
expect 'a remote that hangs and nothing else' 3 'https.git: no answer within 2 s$' publish
kill -CONT "$nginx"
https_conf "remote = $https_url" 'push_timeout = 60'
check 'the next publication brings it up to date' publish
has 'with all that it missed' "$tmp/https.git"
check 'the history is one line in each' test \
	"$(git -C "$tmp/https.git" rev-list --count main)" = "$(git -C "$repo" rev-list --count main)"

# Malformed: found when the configuration is read, nothing is published.
before=$(head_of "$repo")
while IFS='|' read -r url why; do
	configure "remote = $url"
	expect "remote = $url" 2 "preload25\.conf:[0-9]+: remote = .*: $why" publish
done <<-'END'
	https:///x.git|no host
	ftp://example.org/x.git|neither https
	https://example.org:99999/x.git|no port number
	https://example.org|no path
	file://relative/x.git|no absolute path
	https://exa mple.org/x.git|a blank
END
check 'nothing was published meanwhile' test "$(head_of "$repo")" = "$before"
git init -q "$tmp/worktree"
configure "remote = $tmp/worktree"
expect 'a remote with a work tree' 2 'remote: .*worktree: has a work tree' publish

# A remote with a commit that is not ours.
git -C "$tmp/path.git" update-ref refs/heads/main \
	"$(git -C "$tmp/path.git" -c user.name=x -c user.email=x@example.org commit-tree -p main -m x 'main^{tree}')"
theirs=$(head_of "$tmp/path.git")
configure 'remote = ../path.git' "remote = $ssh_url" "push_key = $tmp/pushkey"
expect 'a diverged remote' 2 'remote: .*path.git: has commits that are not ours; nothing there was changed' publish
check 'is as it was' test "$(head_of "$tmp/path.git")" = "$theirs"
has 'and the other one is up to date' "$tmp/ssh.git"
check 'the documented way out' git -C "$repo" push -q --force "$tmp/path.git" main
check 'is one' publish

# --- another hand -----------------------------------------------------------------------------------
configure
# refused NAME REGEX: publish ends with 2 and changes neither history nor files.
refused() {
	local head files
	head=$(git -C "$repo" rev-parse HEAD)
	files=$(find "$repo" -path "$repo/.git" -prune -o -type f -printf '%p %T@ %i\n' | sort)
	expect "$1" 2 "$2" publish
	check '... and nothing is touched' test \
		"$head$files" = "$(git -C "$repo" rev-parse HEAD)$(find "$repo" -path "$repo/.git" -prune -o -type f -printf '%p %T@ %i\n' | sort)"
}
by_hand() { git -C "$repo" -c user.name=Hand -c user.email=hand@example.org "$@" >"$tmp/log" 2>&1; }

echo >>"$repo/targets/list.json"
refused 'a changed file' 'targets/.*list.json: changed by another hand.*git status'
by_hand checkout metadata targets
: >"$repo/targets/extra"
refused 'a file too much' 'targets/extra: changed by another hand'
by_hand clean -fq metadata targets
echo 'The list of ...' >"$repo/README"
check 'files of the operator elsewhere are no matter' publish
last=$(head_of "$repo")
by_hand add README
by_hand commit -m README
refused 'an extra commit' "HEAD is commit .* by another hand.*publish --adopt"
check 'is taken with --adopt' publish --adopt
check 'and then as ours' publish
check 'its file stays' git -C "$repo" cat-file -e HEAD:README
last=$(head_of "$repo")
by_hand commit --amend -m 'another message'
refused 'an amended commit' 'HEAD is commit .* by another hand'
by_hand reset -q --keep "$last"
check 'git reset --keep is a way out' publish
echo >>"$repo/targets/list.json"
by_hand commit -qam 'another list'
refused 'a commit that changes what is ours' 'with other files in metadata or targets'
expect 'is not taken with --adopt either' 2 'with other files in metadata or targets' publish --adopt
by_hand reset -q --keep "$(sed -n 's/.*git reset --keep \([0-9a-f]*\).*/\1/p' "$tmp/err")"
check 'the way out that the message names' publish
by_hand checkout -q --detach
refused 'a detached HEAD' 'HEAD is detached; check the branch out'
by_hand checkout -q main
: >"$repo/.git/index.lock"
refused 'a lock file left over' '\.git/index\.lock: another git process .* remove this file'
rm "$repo/.git/index.lock"
: >"$repo/.git/refs/heads/main.lock"
refused 'a lock on the branch' 'refs/heads/main\.lock: another git process'
rm "$repo/.git/refs/heads/main.lock"
check 'all is well' publish
git clone -q --bare "$repo" "$tmp/bare.git"
sed "s,^path = .*,path = $tmp/bare.git," "$tmp/first.conf" >"$conf"
expect 'a bare repository' 2 'bare\.git: a git repository without a work tree; publish in a clone' publish
check 'git fsck is content at the end' git -C "$repo" fsck --strict --no-dangling
finish
