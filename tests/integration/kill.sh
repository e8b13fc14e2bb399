#!/bin/bash
# kill -9 at random moments of publish and update loses nothing: whatever was there is still in force,
# every reader is content at each point, and the next run completes the work.
#
# (Crawl is killed in authority.sh.) The moments come from a seed that is printed; KILLS and SEED in
# the environment repeat or lengthen a run.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/lab/authority.bash
. "$top/tests/lab/authority.bash"

kills=${KILLS:-25}
RANDOM=${SEED:-$((EPOCHSECONDS % 32768))}
echo "# seed $RANDOM, $kills kills each"

lab_dir=$tmp/lab
auth=$tmp/auth
repo=$auth/repository
conf=$auth/preload25.conf
updater_conf() { # updater_conf DIR: a configuration whose state and map lie in DIR
	mkdir -p "$1"
	cat >"$1/u.conf" <<-END
		[source]
		url = file:$repo
		root = $tmp/root.json
		[state]
		dir = $1/state
		[install]
		mta = texthash
		path = $1/map
		reload = no
	END
}
# killed_randomly LOCK LONGEST-MS COMMAND...: whether a kill at a random moment came before its end. Whoever has
# been killed keeps its lock until it is gone, which may take a while on a busy machine: this waits for it.
killed_randomly() {
	local lock=$1 ms=$((RANDOM % $2 + 1)) rc=0
	shift 2
	# The shell that starts it would announce the kill. In the foreground timeout does not kill itself, too, and
	# so sees the end.
	{ timeout --foreground -s KILL "$(printf '0.%03d' "$ms")" "$@" >/dev/null 2>&1; } 2>/dev/null || rc=$?
	[ ! -e "$lock" ] || flock -w 60 "$lock" true || echo "$lock: still held" >>"$tmp/bad"
	[ "$rc" -ne 0 ]
}
duration_ms() { # of a command, at least 4, at most 999
	local start=$EPOCHREALTIME end ms
	"$@" >"$tmp/timed" 2>&1 || { cat "$tmp/timed" >&2; return 1; }
	end=$EPOCHREALTIME
	ms=$(((${end/[.,]/} - ${start/[.,]/}) / 1000))
	echo $((ms < 4 ? 4 : ms > 999 ? 999 : ms))
}

scripts=$top/scripts
"$scripts/lab-packages" "$top/build/lab-root" nsd >"$tmp/packages.log" 2>&1 || { cat "$tmp/packages.log"; exit 1; }
export LAB_ROOT=$top/build/lab-root
# A small internet, and an authority that has watched it for long enough.
if ! lab make "$lab_dir" --domains 600 >"$tmp/log" 2>&1 ||
	! lab run "$lab_dir" -- bash -c '. "$0" && authority_make "$1" "$LAB_DIR" &&
		preload25 --config "$1/preload25.conf" import "$LAB_DIR/domains.txt" && authority_quick "$1"' \
		"$top/tests/lab/authority.bash" "$auth" >"$tmp/log" 2>&1; then
	not_ok 'a lab and an authority' "$tmp/log"
	finish
fi
authority_publish "$auth" >"$tmp/log" 2>&1 || { not_ok 'a first publication' "$tmp/log"; finish; }
cp "$repo/metadata/1.root.json" "$tmp/root.json"
ok 'a lab, an authority, a first publication'

# --- publish ----------------------------------------------------------------------------------------
t=$(now_s)
publish() {
	t=$((t + 60))
	authority_publish "$auth" "$t"
}
longest=$(duration_ms publish) || { not_ok 'publish'; finish; }
cut=0
bad=0
for ((i = 0; i < kills; i++)); do
	t=$((t + 60))
	at "$t" preload25 --config "$conf" build >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log" >>"$tmp/bad"; echo "build after kill $i" >>"$tmp/bad"; bad=1; }
	if killed_randomly "$repo/.git/preload25/lock" "$longest" env PRELOAD25_NOW="$(date -u -d "@$t" +%FT%TZ)" preload25 --config "$conf" publish; then
		cut=$((cut + 1))
	fi
	# A reader who comes at this very moment is content: a first visit, and git's own check.
	updater_conf "$tmp/visit"
	if ! at "$t" preload25-update --config "$tmp/visit/u.conf" >"$tmp/log" 2>&1; then
		echo "a first visit after kill $i:" >>"$tmp/bad"
		cat "$tmp/log" >>"$tmp/bad"
		bad=1
	fi
	rm -rf "$tmp/visit"
	if ! git -C "$repo" fsck --strict --no-dangling >"$tmp/log" 2>&1; then
		echo "git fsck after kill $i:" >>"$tmp/bad"
		cat "$tmp/log" >>"$tmp/bad"
		bad=1
	fi
	# Every third time the work is completed at once, else the next round has to cope with it.
	if [ $((i % 3)) -eq 0 ] && ! at "$t" preload25 --config "$conf" publish >"$tmp/log" 2>&1; then
		echo "completing after kill $i:" >>"$tmp/bad"
		cat "$tmp/log" >>"$tmp/bad"
		bad=1
	fi
done
if [ "$bad" -eq 0 ] && [ ! -s "$tmp/bad" ]; then ok "publish survives kill -9 ($cut of $kills runs cut short)"; else
	not_ok 'publish survives kill -9' "$tmp/bad"; fi
check 'and completes' publish
check 'the work tree is what was committed' test -z "$(git -C "$repo" status --porcelain)"

# --- update -----------------------------------------------------------------------------------------
up=$tmp/up
updater_conf "$up"
first=$(duration_ms at "$t" preload25-update --config "$up/u.conf") || { not_ok 'update'; finish; }
good_map=$tmp/good.map
cp "$up/map" "$good_map"
cut=0
: >"$tmp/bad"
bad=0
for ((i = 0; i < kills; i++)); do
	# Half the runs are first visits, half have a newer list to take up.
	if [ $((i % 2)) -eq 0 ]; then
		rm -rf "$up/state" "$up/map"*
	else
		at "$t" preload25-update --config "$up/u.conf" >"$tmp/log" 2>&1 || bad=1
		publish >"$tmp/log" 2>&1 || { bad=1; cat "$tmp/log" >>"$tmp/bad"; }
	fi
	had=$([ -e "$up/map" ] && echo yes)
	if killed_randomly "$up/state/lock" "$first" env PRELOAD25_NOW="$(date -u -d "@$t" +%FT%TZ)" preload25-update --config "$up/u.conf"; then
		cut=$((cut + 1))
	fi
	# The map is either the old one, or the new one, or (on a first visit) not there yet; whole.
	if [ -e "$up/map" ]; then
		if ! grep -q '^bank.test secure ' "$up/map" || ! grep -q '^serial.preload25.invalid ' "$up/map"; then
			echo "kill $i left a map without bank.test or the sentinel" >>"$tmp/bad"
			bad=1
		fi
	elif [ "$had" = yes ]; then
		echo "kill $i lost the map" >>"$tmp/bad"
		bad=1
	fi
	if ! at "$t" preload25-update --config "$up/u.conf" >"$tmp/log" 2>&1; then
		echo "the run after kill $i:" >>"$tmp/bad"
		cat "$tmp/log" >>"$tmp/bad"
		bad=1
	fi
	if ! diff <(grep -v '^serial' "$good_map") <(grep -v '^serial' "$up/map") >>"$tmp/bad"; then
		echo "the map after kill $i and another run is not complete" >>"$tmp/bad"
		bad=1
	fi
done
if [ "$bad" -eq 0 ] && [ ! -s "$tmp/bad" ]; then ok "update survives kill -9 ($cut of $kills runs cut short)"; else
	not_ok 'update survives kill -9' "$tmp/bad"; fi
# What killed writers left beside the map goes with the next complete run.
check 'nothing is left beside the map' test -z "$(find "$up" -maxdepth 1 -name '.*tmp*')"
finish
