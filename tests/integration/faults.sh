#!/bin/bash
# faults.sh: in every run that must never be half done, each step that changes the disk or reads the
# network fails, finds the disk full from there on, or is the last one (kill -9, in the middle of a
# write too). Behind each: the old state or the new one, readers are content, one clear line and exit
# code 3, and the next run completes the work and leaves nothing behind.
#
# The steps are counted first (tests/fault/fault.c says what one is), then every one is visited.
#
#	ACTS='publish update'	these acts only
#	WORKERS=N		so many at once; default: one for each core
#	SEEN=FILE		appends what failing runs have said, for a person to read

# Thousands of small runs, each with its fsync: in memory where there is some.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || TMPDIR=/dev/shm exec "$0" "$@"
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"
in_a_lab "${1:-}" --domains 600

workers=${WORKERS:-$(nproc)}
remarks=': warning: \|: the clock stands at ' # lines of standard error that are no errors
userns=()
[ "$(id -u)" -eq 0 ] || userns=(-r)
before=$tmp/before # before/ACT: the state that an act begins with
now=$(now_s)

# --- the acts -------------------------------------------------------------------------------------

# What is done: run ACT DIR, with DIR as in before/ACT.
declare -A program=([init]=preload25 [import]=preload25 [hold]=preload25 [build]=preload25 [publish]=preload25
	[renew]=preload25 [rotate]=preload25 [first]=preload25-update [update]=preload25-update [again]=preload25-update
	[fetch]=preload25-update [offline]=preload25-update)
acts=(init import hold build publish renew rotate first update again fetch offline)
run() {
	local authority=(timeout -k 1 30 preload25 --config "$2/auth/preload25.conf")

	case $1 in
	# Run once more, it would refuse a directory that is not empty.
	init) [ -e "$2/auth/preload25.conf" ] || timeout -k 1 30 preload25 init "$2/auth" ;;
	import) "${authority[@]}" import "$tmp/more.txt" ;;
	hold) "${authority[@]}" hold "$held" --reason 'a test' ;;
	build) "${authority[@]}" build ;;
	publish | renew) "${authority[@]}" publish ;;
	rotate) "${authority[@]}" key rotate --role timestamp ;;
	first | update | again) timeout -k 1 30 preload25-update --config "$2/up/u.conf" ;;
	fetch) timeout -k 1 30 preload25-update --config "$2/up/u.conf" --fetch-only ;;
	offline) timeout -k 1 30 preload25-update --config "$2/up/u.conf" --offline ;;
	esac
}

# What a reader sees who comes at this moment, in one line: it may be the old or the new, and no third.
store_content() { # from a copy, so that nothing is recovered by the one who looks
	rm -rf "$1/look" && mkdir "$1/look" && cp "$1"/auth/preload25.db* "$1/look" &&
		sqlite3 "$1/look/preload25.db" 'PRAGMA integrity_check' .dump | sha256sum
}
made() { # what a new authority is; keys are of chance
	(cd "$1" && find . -path ./repository/.git -prune -o -type f ! -name '*-wal' ! -name '*-shm' \
		! -name '.*.tmp-*' -printf '%p %m\n' | sort)
	preload25 --config "$1/preload25.conf" status
	preload25 --config "$1/preload25.conf" publish --verify
	preload25 --config "$1/preload25.conf" key list |
		sed "s|$1/||; "'s/[0-9a-f]\{8,64\}/KEY/g'
	git -C "$1/repository" fsck --strict --no-dangling --no-progress
	git -C "$1/repository" status --porcelain
}
first_visit() { # the list that a new client gets from a repository
	local files known

	files=$(digest_of "$2" --exclude=./.git .)
	known=$before/visit-${files%% *}
	if [ -z "$files" ] || ! [ -e "$known" ]; then
		first_client "$@" >"$1/visited" 2>&1
		mv "$1/visited" "$known"
	fi
	cat "$known"
	git -C "$2" fsck --strict --no-dangling --no-progress
}
first_client() {
	rm -rf "$1/visit" && mkdir "$1/visit" || return
	cat >"$1/visit/u.conf" <<-END
		[source]
		url = file:$2
		root = $tmp/root.json
		[state]
		dir = $1/visit/state
		[install]
		mta = texthash
		path = $1/visit/map
	END
	preload25-update --config "$1/visit/u.conf" || echo "a first visit ends with $?"
	(cd "$1/visit/state" 2>/dev/null && ls -- list-*)
}
other_half() { # what is made of what one half has left, in a copy
	rm -rf "$1/look" && cp -a "$1/up" "$1/look" && sed -i "s|$1/up|$1/look|" "$1/look/u.conf" || return
	preload25-update --config "$1/look/u.conf" --offline >"$1/look/said" 2>&1
	sha256sum <"$1/look/map"
}
seen() { # seen ACT DIR
	case $1 in
	init) [ ! -e "$2/auth/preload25.conf" ] || made "$2/auth" ;;
	import | hold) store_content "$2" ;;
	build | publish | renew | rotate) first_visit "$2" "$2/auth/repository" ;;
	first | update | again | offline) cat "$2/up/map" 2>/dev/null | sha256sum ;;
	fetch) other_half "$2" ;;
	esac 2>&1 | tr '\n' ' '
}

# What must be the same in the end, whatever has happened on the way.
leftovers() { find "$@" '(' -name '*.tmp-*' -o -name '*.lock' -o -name '_git2_*' -o -name 'tmp_*' \
	-o -name '.*.new*' -o -name 'draft-*' -o -name 'next-*' -o -name journal ')' -printf '%f '; }
result() { # result ACT DIR
	local repo=$2/auth/repository

	seen "$@"
	case $1 in
	# A file that could not be removed stays: there is no second init that would do it.
	init) [ "${mode:-}" = fail ] || leftovers "$2/auth" ;;
	import | hold) preload25 --config "$2/auth/preload25.conf" status ;;
	build) (cd "$repo/.git/preload25" && sha256sum -- *) ;;
	publish | renew)
		git -C "$repo" status --porcelain
		leftovers "$repo"
		preload25 --config "$2/auth/preload25.conf" status
		;;
	rotate) # keys are of chance, but how many there are is not
		git -C "$repo" status --porcelain
		leftovers "$repo" "$2/auth/keys"
		preload25 --config "$2/auth/preload25.conf" publish --verify | tail -n 1 |
			sed 's/^[0-9]* commits/commits/'
		find "$2/auth/keys" -type f -printf '%f %m\n' | sort
		preload25 --config "$2/auth/preload25.conf" key list | sed 's/[0-9a-f]\{8,64\}/KEY/g'
		;;
	fetch)
		leftovers "$2/up/state/incoming"
		cat "$2/look/said"
		# What could not be removed goes with the next list.
		(cd "$2/up/state/incoming/main" && cat record.json &&
			find . '(' -path ./repository.new -o -path ./replay ')' -prune -o -print | sort)
		;;
	first | update | again | offline)
		leftovers "$2/up"
		preload25-update --config "$2/up/u.conf" status | grep -v '^last error'
		cmp "$2/up/map" "$2/up/loaded"
		;;
	esac 2>&1 | sed "s|$2/||g"
}

# --- one fault ------------------------------------------------------------------------------------

restore() { # restore ACT DIR
	rm -rf "${2:?}"/* && cp -a "$before/$1/." "$2" && if [ -e "$2/up/u.conf" ]; then
		sed -i "s|@DIR@|$2/up|" "$2/up/u.conf"
	fi
}
# The act with a fault; its exit code. What it said is in DIR/said.
run_faulty() { # run_faulty ACT DIR MODE N
	{ LD_PRELOAD=$B/fault.so FAULT_PROGRAM=${program[$1]} FAULT_MODE=$3 FAULT_AT=$4 \
		FAULT_KEYS=first FAULT_TRACE=$2/trace run "$1" "$2" >"$2/out" 2>"$2/said"; } 2>/dev/null
}
# The act without one, and with other keys.
run_again() { LD_PRELOAD=$B/fault.so FAULT_PROGRAM=${program[$1]} FAULT_KEYS=next run "$@"; } # run_again ACT DIR
# A TUF client that is not ours gets the list, the old one or the new.
tuf_js() { # tuf_js DIR old|new
	no_proxy=127.0.0.1 node "$tmp/tuf-js/check.mjs" "http://127.0.0.1:$(cat "$tmp/port")/${1##*/}/auth/repository" \
		"$1/tuf-js" "$tmp/root.json" list.json "$tmp/list.$2" >"$1/tuf-js.said" 2>&1
}
complain() { # complain ACT DIR MODE N WHAT [FILE]
	echo "$1: $3 at $4 ($(sed -n "${4}p" "$2/trace" | cut -f 2- | sed "s|$2/||g")): $5"
	[ -z "${6:-}" ] || head -n 12 "$6" | sed 's/^/    /'
}
# The files of an act in one word: names, modes, owners, contents; not times, nor where they are, nor what
# chance puts into the name of a temporary file. Whatever comes of them depends on nothing else, since the
# clock stands still and FAULT_KEYS makes the keys: a state that was looked at once, and was good, needs no
# second look. Of a git index its entries count, not what it knows of inodes; of the inode in state.json,
# whether it is the map's.
digest_of() ( # digest_of DIR PATH...
	set -o pipefail
	tar -C "$1" --sort=name --mtime=@0 --numeric-owner --exclude=.git/index --exclude=up/state/state.json \
		--transform 's,\(\.tmp-\|_git2_\)[^/]*$,\1,' -c "${@:2}" 2>/dev/null |
		LC_ALL=C sed "s|$1/|/|g" | sha256sum
)
state_of() { # state_of ACT DIR: fails if it cannot tell
	local files top=auth file inode mtime

	[ "${program[$1]}" = preload25 ] || top=up
	files=$(digest_of "$2" $top) || return
	{
		echo "$files"
		if [ $top = auth ]; then
			file=$2/auth/repository/.git/index
			stat -c '%a %s %F' "$file"
			git -C "$2/auth/repository" ls-files --stage
		else
			file=$2/up/state/state.json
			read -r inode mtime < <(stat -c '%i %.9Y' "$2/up/map")
			stat -c '%a %F' "$file"
			sed "s/\"map_inode\":$inode,/\"map_inode\",/; s/\"map_mtime_ns\":${mtime/./},/\"map_mtime_ns\",/" "$file"
		fi
	} 2>&1 | sed "s|$2/||g" | sha256sum
}
visit() { # visit ACT DIR MODE N
	local rc saw mode=$3 known=$before/$1.known kind state end bad=0

	restore "$1" "$2"
	run_faulty "$@"
	rc=$?
	case $3:$rc in
	kill:137 | torn:137 | *:0) ;;
	fail:3 | full:3 | kill:3 | torn:3)
		# Killed and yet an exit code: it was the sandboxed process, and its parent tells.
		[ "$(grep -vc "$remarks" "$2/said")" -eq 1 ] && grep -q "^${program[$1]}: " "$2/said" ||
			complain "$@" 'not one clear line' "$2/said"
		[ -z "${SEEN:-}" ] || complain "$@" "$(cat "$2/said")" >>"$SEEN"
		;;
	*) complain "$@" "exit code $rc" "$2/said" ;;
	esac
	if [ "$1:$3" = publish:kill ] && [ $(($4 % 16)) -eq 0 ] && [ -d "$tmp/tuf-js" ]; then
		tuf_js "$2" old || tuf_js "$2" new || complain "$@" 'tuf-js does not read it' "$2/tuf-js.said"
	fi
	# Of a run that has succeeded more is asked, and of init less when it could not remove a file.
	kind=began-$((rc == 0))
	[ "$1:$3" != init:fail ] || kind+=-$3
	state=$(state_of "$1" "$2") || bad=1
	[ "$bad" -eq 1 ] || [ ! -e "$known/$kind-${state%% *}" ] || return 0
	saw=$(seen "$1" "$2")
	if [ "$saw" != "$(<"$before/$1.new")" ] && { [ "$rc" -eq 0 ] || [ "$saw" != "$(<"$before/$1.old")" ]; }; then
		complain "$@" "exit code $rc, and a reader sees neither the old state nor the new: $saw"
		bad=1
	fi
	run_again "$1" "$2" >"$2/said" 2>&1 || {
		complain "$@" "the next run ends with $?" "$2/said"
		bad=1
	}
	end=$(state_of "$1" "$2") || bad=1
	if [ -z "$end" ] || [ ! -e "$known/ended${kind#began-?}-${end%% *}" ]; then
		result "$1" "$2" >"$2/result"
		# Done by the first run after all, then this was the second.
		if diff "$before/$1.result" "$2/result" >"$2/diff" || cmp -s "$before/$1.twice" "$2/result"; then
			[ -z "$end" ] || : >"$known/ended${kind#began-?}-${end%% *}"
		else
			complain "$@" 'the next run does not complete it' "$2/diff"
			bad=1
		fi
	fi
	[ "$bad" -eq 1 ] || : >"$known/$kind-${state%% *}"
}

# --- all of them ----------------------------------------------------------------------------------

# Which faults there are, from the trace. Left out is what would be the same as another: a full disk at
# a step that needs no room is a full disk at the next one, and to be killed before a step is to be
# killed before the one after it unless that step has changed anything.
faults_of() { # faults_of <TRACE
	awk -F'\t' '
		{ print "fail", $1 }
		$2 ~ /create|write|fflush|mkdir|link$/ && $2 != "unlink" { print "full", $1 }
		!same { print "kill", $1 }
		{ same = $2 ~ /sync|close|fetch|recv/ }
		$2 ~ /write/ { print "torn", $1 }'
}
# What a power cut could take back: files renamed or linked into place before their contents are on the
# disk, and names that never get there. libgit2's index, and the configuration of a new repository, are
# synced in their place.
unsynced() { # unsynced <TRACE
	awk -F'\t' '
		function dir(path) { sub("/[^/]*$", "", path); return path }
		$3 ~ /-shm( |$)/ { next }
		# The sandbox is gone with the run; inside, names are relative or not to be seen.
		$3 !~ /^\// || $3 ~ /\/(work|replay)(\/|$)/ || $4 ~ /\/(work|replay)(\/|$)/ { next }
		$2 ~ /write|fflush/ { dirty[$3] }
		$2 ~ /sync/ { delete dirty[$3]; delete names[$3] }
		$2 == "unlink" { delete dirty[$3] }
		$2 ~ /^(rename|link)$/ {
			if ($3 in dirty && $3 !~ /(index|config|HEAD)\.lock$/) print "not on the disk when it gets its name: " $0
			if ($3 in dirty) dirty[$4]
			if ($2 == "rename") delete dirty[$3]
			names[dir($4)] = $0
		}
		END {
			for (f in dirty) print "never put on the disk: " f
			for (d in names) print "the name never gets to the disk: " names[d]
		}'
}
worker() { # worker ACT NUMBER: its share of the act's jobs
	local dir=$tmp/w$2 mode n

	mkdir -p "$dir"
	awk -v w="$2" -v all="$workers" 'NR % all == w % all' "$before/$1.jobs" | while read -r mode n; do
		visit "$1" "$dir" "$mode" "$n"
	done
}
every_step() { # every_step ACT
	local act=$1 dir=$tmp/w1 state steps jobs i start=$SECONDS pids=()

	mkdir -p "$dir"
	restore "$act" "$dir"
	seen "$act" "$dir" >"$before/$act.old"
	restore "$act" "$dir"
	state=$(state_of "$act" "$dir") || not_ok "$act: the state of its files"
	if ! run_faulty "$act" "$dir" count 0; then
		not_ok "$act" "$dir/said"
		return
	fi
	cp "$dir/trace" "$before/$act.trace"
	[ "$(state_of "$act" "$dir")" != "$state" ] || not_ok "$act: another state of its files"
	seen "$act" "$dir" >"$before/$act.new"
	result "$act" "$dir" >"$before/$act.result"
	run_again "$act" "$dir" >"$dir/said" 2>&1 || not_ok "$act once more" "$dir/said"
	result "$act" "$dir" >"$before/$act.twice"
	steps=$(wc -l <"$dir/trace")
	unsynced <"$dir/trace" >"$tmp/bad"
	[ ! -s "$tmp/bad" ] || not_ok "$act: what has a name is on the disk" "$tmp/bad"
	restore "$act" "$dir"
	run_faulty "$act" "$dir" short 0 || not_ok "$act: writes that write half" "$dir/said"
	result "$act" "$dir" >"$dir/result"
	diff "$before/$act.result" "$dir/result" >"$dir/diff" || not_ok "$act: writes that write half" "$dir/diff"
	faults_of <"$before/$act.trace" >"$before/$act.jobs"
	mkdir "$before/$act.known"
	jobs=$(wc -l <"$before/$act.jobs")
	for ((i = 1; i <= workers; i++)); do
		worker "$act" "$i" >"$before/$act.bad.$i" 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$before/$act".bad.* >"$tmp/bad"
	if [ "$steps" -gt 0 ] && [ ! -s "$tmp/bad" ]; then
		ok "$act: $steps steps, $jobs faults ($((SECONDS - start)) s)"
	else
		not_ok "$act: $steps steps, $jobs faults ($((SECONDS - start)) s)" "$tmp/bad"
	fi
}

# Where nothing can be written: one line, exit code 2, and every file as before.
contents() { (cd "$1" && find . -path ./said -prune -o -type f -exec sha256sum {} + | sort -k 2); }
refused() { # refused NAME ACT DIR COMMAND...: the act behind the command
	local rc=0

	contents "$3" >"$tmp/files"
	"${@:4}" bash -c 'run "$@"' _ "$2" "$3" >"$tmp/out" 2>"$tmp/said" || rc=$?
	contents "$3" | diff "$tmp/files" - >"$tmp/bad"
	if [ "$rc" -ne 2 ] || [ "$(grep -vc "$remarks" "$tmp/said")" -ne 1 ]; then
		echo "exit code $rc" | cat - "$tmp/said" >>"$tmp/bad"
	fi
	if [ -s "$tmp/bad" ]; then not_ok "$1: $2" "$tmp/bad"; else ok "$1: $2: $(grep -v "$remarks" "$tmp/said" | sed "s|$3/||g")"; fi
}
unwritable() { # unwritable ACT
	local dir=$tmp/w1

	restore "$1" "$dir"
	if unshare -m "${userns[@]}" true 2>/dev/null; then
		# shellcheck disable=SC2016 # for the shell in there
		refused 'read-only' "$1" "$dir" unshare -m "${userns[@]}" \
			bash -c 'mount --bind -o ro "$0" "$0" && exec "$@"' "$dir"
	else
		skip "read-only: $1: no mount namespaces here"
	fi
	if [ "$(id -u)" -eq 0 ]; then
		# The checkout may stand where others cannot go.
		refused 'no permission' "$1" "$dir" env "PATH=$tmp/bin:$PATH" setpriv --reuid=65534 --regid=65534 --clear-groups
	else
		chmod -R a-w "$dir"
		refused 'no permission' "$1" "$dir"
		chmod -R u+w "$dir"
	fi
}

# A disk that is really full, with from nothing up to enough room in steps of a page.
small_disks() { # small_disks ACT: inside of a mount namespace
	local dir=$tmp/small rc room saw

	mount -t tmpfs -o size=64m none "$dir" || return
	for ((room = 4; ; room += 4)); do # a size of 0 would be none at all
		restore "$1" "$dir"
		mount -o remount,size=$(($(df --output=used -k "$dir" | tail -n 1) + room))k "$dir"
		rc=0
		run "$1" "$dir" >"$tmp/out" 2>"$tmp/said" || rc=$?
		mount -o remount,size=64m "$dir"
		[ "$rc" -ne 0 ] || break
		if [ "$rc" -ne 3 ] || [ "$(grep -vc "$remarks" "$tmp/said")" -ne 1 ]; then
			echo "with $room KiB: exit code $rc" | cat - "$tmp/said"
		fi
		saw=$(seen "$1" "$dir")
		[ "$saw" = "$(<"$before/$1.old")" ] || [ "$saw" = "$(<"$before/$1.new")" ] ||
			echo "with $room KiB a reader sees neither the old state nor the new: $saw"
		run "$1" "$dir" >"$tmp/said" 2>&1 || echo "with $room KiB: the next run ends with $?" | cat - "$tmp/said"
		result "$1" "$dir" >"$tmp/result"
		diff "$before/$1.result" "$tmp/result" >"$tmp/diff" || cmp -s "$before/$1.twice" "$tmp/result" ||
			echo "with $room KiB: the next run does not complete it" | cat - "$tmp/diff"
	done
	echo "$((room / 4 - 1))" >"$tmp/sizes"
}
really_full() { # really_full ACT
	local sizes

	mkdir -p "$tmp/small"
	if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
		skip "a small disk: $1: root alone can make one"
		return
	fi
	rm -f "$tmp/sizes"
	unshare -m bash -c 'small_disks "$1"' _ "$1" >"$tmp/bad" 2>&1
	sizes=$(cat "$tmp/sizes" 2>/dev/null)
	if [ "${sizes:-0}" -gt 0 ] && [ ! -s "$tmp/bad" ]; then
		ok "a small disk: $1: fails in $sizes sizes, succeeds in the next"
	else
		not_ok "a small disk: $1" "$tmp/bad"
	fi
}

# --- an authority, and what the acts begin with ---------------------------------------------------

auth=$tmp/auth
conf=$auth/preload25.conf
jq -r 'select(.eligible and .verdict == "pass") | .domain' "$LAB_DIR/truth.jsonl" | head -n 24 >"$tmp/domains.txt"
sed -n '17,$p' "$tmp/domains.txt" >"$tmp/more.txt"
held=$(head -n 1 "$tmp/domains.txt")
sed -i '17,$d' "$tmp/domains.txt"
make_it() {
	authority_make "$auth" "$LAB_DIR" && preload25 --config "$conf" import "$tmp/domains.txt" &&
		authority_quick "$auth" && cp "$auth/repository/metadata/1.root.json" "$tmp/root.json"
}
begins() { # begins ACT [DIRECTORY...]: as things are now
	mkdir -p "$before/$1" && cp -a "${@:2}" "$before/$1"
}
if ! make_it >"$tmp/log" 2>&1; then
	not_ok 'an authority' "$tmp/log"
	finish
fi
export PRELOAD25_NOW
PRELOAD25_NOW=$(date -u -d "@$((now + 60))" +%FT%TZ)
mkdir "$tmp/new"
begins init "$tmp/new"
mkdir "$before/init/auth"
begins import "$auth"
begins hold "$auth"
preload25 --config "$conf" import "$tmp/more.txt" >"$tmp/log" 2>&1
# Two publications before the one that is looked at, so that there are old files to be removed.
for i in 1 2; do
	authority_publish "$auth" $((now + i)) >"$tmp/log" 2>&1 || not_ok "publication $i" "$tmp/log"
done
begins build "$auth"
preload25 --config "$conf" build >"$tmp/log" 2>&1
begins publish "$auth"
cp "$auth/repository/targets/list.json" "$tmp/list.old"
cp "$auth/repository/.git/preload25/next-list.json" "$tmp/list.new"
mkdir "$tmp/tuf-js"
cp "$top"/tests/integration/tuf-js/{package.json,package-lock.json,.npmrc,check.mjs} "$tmp/tuf-js"
if ! (cd "$tmp/tuf-js" && npm ci --silent --no-progress --ignore-scripts) >"$tmp/log" 2>&1; then
	skip 'tuf-js does not read along: npm cannot get it'
	rm -rf "$tmp/tuf-js"
fi

# The updater reads a repository over HTTP.
mkdir "$tmp/served"
httpd --with-parent --root "$tmp" --port-file "$tmp/port" --log "$tmp/httpd.log" &
await exists "$tmp/port" || { not_ok 'httpd starts'; finish; }
mkdir "$tmp/up"
cat >"$tmp/up/u.conf" <<END
[source]
url = http://127.0.0.1:$(cat "$tmp/port")/served/repository
root = $tmp/root.json
[state]
dir = @DIR@/state
[install]
mta = texthash
path = @DIR@/map
reload = yes
[postfix]
config_dir = @DIR@
postfix = @DIR@/postfix
END
# In place of Postfix: what it has read is what was there at the last reload.
printf '#!/bin/sh\nexec cp "$2/map" "$2/loaded"\n' >"$tmp/up/postfix"
chmod +x "$tmp/up/postfix"
cp -a "$auth/repository" "$tmp/served"
begins first "$tmp/up"
mkdir "$tmp/w0"
restore first "$tmp/w0"
run first "$tmp/w0" >"$tmp/log" 2>&1 || not_ok 'a first update' "$tmp/log"
sed -i "s|$tmp/w0/up|@DIR@|" "$tmp/w0/up/u.conf"
begins update "$tmp/w0/up"
# The same, in halves: as whoever runs this, since the folder is there.
restore update "$tmp/w0"
mkdir "$tmp/w0/up/state/incoming"
for act in fetch offline; do
	run $act "$tmp/w0" >"$tmp/log" 2>&1 || not_ok "an update in halves: $act" "$tmp/log"
done
sed -i "s|$tmp/w0/up|@DIR@|" "$tmp/w0/up/u.conf"
begins fetch "$tmp/w0/up"

preload25 --config "$conf" publish >"$tmp/log" 2>&1 || not_ok 'publication 3' "$tmp/log"
begins renew "$auth"
begins rotate "$auth"
rm -rf "$tmp/served/repository"
cp -a "$auth/repository" "$tmp/served"

restore update "$tmp/w0"
run update "$tmp/w0" >"$tmp/log" 2>&1 || not_ok 'an update' "$tmp/log"
sed -i "s|$tmp/w0/up|@DIR@|" "$tmp/w0/up/u.conf"
begins again "$tmp/w0/up"
restore fetch "$tmp/w0"
run fetch "$tmp/w0" >"$tmp/log" 2>&1 || not_ok 'fetching' "$tmp/log"
sed -i "s|$tmp/w0/up|@DIR@|" "$tmp/w0/up/u.conf"
begins offline "$tmp/w0/up"
# The same list under a new timestamp.
preload25 --config "$conf" publish >"$tmp/log" 2>&1 || not_ok 'a renewal' "$tmp/log"
rm -rf "$tmp/served/again" && cp -a "$auth/repository" "$tmp/served/again"
sed -i 's|/repository$|/again|' "$before/again/up/u.conf"

read -ra chosen <<<"${ACTS:-}"
for act in "${chosen[@]:-${acts[@]}}"; do
	every_step "$act"
done
# Another user has to get as far as the programs, and the files that are refused.
chmod a+rx "$tmp"
mkdir "$tmp/bin" && cp "$B/preload25" "$B/preload25-update" "$tmp/bin"
mapfile -t functions < <(declare -F | cut -d ' ' -f 3)
export -f "${functions[@]}"
export tmp before held remarks
for act in "${chosen[@]:-${acts[@]}}"; do
	unwritable "$act"
	really_full "$act"
done
finish
