#!/bin/bash
# Whatever reads foreign bytes does it in a confined process, whoever starts it: each process that the program forks,
# and that runs no other program, is looked at when it ends.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/tuf.bash
. "$top/tests/lab/tuf.bash"

: >"$tmp/log"
confined "$tmp/who" true 2>/dev/null || { skip 'nothing can be traced here'; exit 77; }

# shellcheck disable=SC2034 # tuf.bash reads them
{
	start=$(moment now) list_expires=$(moment '+10 days') expires=$(moment '+300 days')
	timestamp_expires=$(moment '+2 days')
	keys=$tmp/auth/keys
}
new_authority "$tmp/auth" >"$tmp/log" && new_site "$tmp/site" "$tmp/auth" || { not_ok 'an authority' "$tmp/log"; finish; }
lines '"d1.example":{"auth":["pkix"],"max_age":2592000,"mode":"enforce","mxs":["mx.d1.example"],"source":"mta-sts","tls":"1.2"}' |
	whole 1 >"$tmp/list"
publish "$tmp/site" 1 "$tmp/list"
for domain in d1 d2; do
	echo "$start mail postfix/smtp[7]: A1: to=<u@$domain.example>, relay=mx.$domain.example[127.0.0.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
done >"$tmp/mail.log"
grep d2 "$tmp/mail.log" >"$tmp/other.log"
printf '[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s\n[install]\nmta = texthash\npath = %s\ndane = no\nmode = report-only\n[log]\npath = %s\n[postfix]\nformat = plain\n' \
	"$tmp/site" "$tmp/auth/root.json" "$tmp/state" "$tmp/map" "$tmp/mail.log" >"$tmp/conf"
# Nobody else may go there: what is read must have been opened before.
umask 077
chmod 0700 "$tmp"
chmod 0600 "$tmp/mail.log"

# Who the process is to be: of root nobody is left, of others they themselves.
wanted=$(id -u)
if [ "$wanted" -eq 0 ]; then
	if [ "$(awk '{ n += $3 } END { printf "%d", n }' /proc/self/uid_map)" -gt 65534 ]; then
		wanted=$(id -u _preload25 2>/dev/null || id -u nobody)
	fi
fi

# inside NAME COUNT COMMAND...: it succeeds, and reads in so many processes, all of which are confined.
inside() {
	local name=$1 count=$2
	shift 2
	if ! confined "$tmp/who" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; then
		not_ok "$name" "$tmp/err"
		return
	fi
	grep -v "^uid=$wanted gid=[0-9]* groups=[0-9]* nonewprivs=1 seccomp=2\$" "$tmp/who" >"$tmp/differs"
	[ "$(wc -l <"$tmp/who")" -eq "$count" ] || echo "processes: $(wc -l <"$tmp/who"), want $count" >>"$tmp/differs"
	if [ -s "$tmp/differs" ]; then not_ok "$name" "$tmp/differs"; else ok "$name"; fi
}

export tmp
inside 'the job: fetching, verifying anew, reading the list, counting mail' 4 preload25-update --config "$tmp/conf"
inside 'and without news: fetching, looking at what is trusted, counting mail' 3 preload25-update --config "$tmp/conf"
inside 'preview: reading log and list' 1 preload25-update --config "$tmp/conf" preview
check 'and it has read them' grep -q 'the log has 2 deliveries to 2 domains; list 1 has 1 of them' "$tmp/out"
inside 'preview of standard input' 1 bash -c 'cat "$tmp/mail.log" | exec preload25-update --config "$tmp/conf" preview -'
check 'and it has read that' grep -q 'the log has 2 deliveries to 2 domains; list 1 has 1 of them' "$tmp/out"
# dies: what is fed without end to preview, whose reader is killed as the kernel would do it.
dies() {
	local endless preview updater pid rc=0
	yes "$(head -n 1 "$tmp/mail.log")" >"$tmp/endless.log" 2>/dev/null &
	endless=$!
	timeout 60 preload25-update --config "$tmp/conf" preview - <"$tmp/endless.log" &
	preview=$!
	for _ in {1..5000}; do
		updater=$(pgrep -P "$preview")
		for pid in $([ -z "$updater" ] || pgrep -P "$updater"); do
			grep -qs '^Seccomp:[[:space:]]*2$' "/proc/$pid/status" && kill -SYS "$pid" && break 2
		done
	done
	wait "$preview" || rc=$?
	kill "$endless" 2>/dev/null
	return "$rc"
}
mkfifo "$tmp/endless.log"
expect 'the reader dies while it is fed: that is seen, and told' 4 \
	'reading the log: the sandboxed process asked for a system call' dies
inside 'stats' 1 preload25-update --config "$tmp/conf" stats
inside 'preview --probe: reading, and asking the mail servers' 2 \
	preload25-update --config "$tmp/conf" preview --probe "$tmp/other.log"
inside 'explain: reading the list' 1 preload25-update --config "$tmp/conf" explain d1.example
check 'and it has found the entry' grep -q '^servers      mx.d1.example$' "$tmp/out"
inside 'verify' 1 preload25-update --config "$tmp/conf" verify "$tmp/list"
check 'and it has seen that it is signed' grep -q ': list 1 of .*, 1 entries, as signed by the authority$' "$tmp/out"
if [ "$(id -u)" -eq 0 ]; then
	{
		cat "$tmp/conf"
		printf '[sandbox]\nuser = no-such-user\n'
	} >"$tmp/nobody.conf"
	for command in preview stats 'explain d1.example' "verify $tmp/list"; do
		# shellcheck disable=SC2086 # words
		expect "where there is nobody to do it, it is not done: ${command%% *}" 2 'there is no user no-such-user' \
			preload25-update --config "$tmp/nobody.conf" $command
	done
fi

# --- an ordinary user, who may write nothing there ----------------------------------------------------
if [ "$wanted" -ne 0 ] && [ "$(id -u)" -eq 0 ]; then
	chmod 0755 "$tmp" "$tmp/state" "$tmp/state/metadata"
	chmod -R a+rX "$tmp"
	chmod 0666 "$tmp/who"
	# The checkout may lie where only root can go.
	mkdir -m 0755 "$tmp/bin"
	install -m 0755 "$(command -v confined)" "$(command -v preload25-update)" "$tmp/bin"
	ordinary() { # NAME COMMAND...: as inside, in one process
		local name=$1
		shift
		if ! setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/bin/confined" "$tmp/who" \
			"$tmp/bin/preload25-update" --config "$tmp/conf" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; then
			not_ok "$name" "$tmp/err"
		elif [ "$(cat "$tmp/who")" = 'uid=65534 gid=65534 groups=0 nonewprivs=1 seccomp=2' ]; then
			ok "$name"
		else
			not_ok "$name" "$tmp/who"
		fi
	}
	ordinary 'an ordinary user: explain' explain d1.example
	check 'and it has found the entry' grep -q '^servers      mx.d1.example$' "$tmp/out"
	ordinary 'an ordinary user: verify' verify "$tmp/list"
	ordinary 'an ordinary user: preview' preview
	check 'and it has read the log' grep -q 'the log has 2 deliveries to 2 domains' "$tmp/out"
fi
finish
