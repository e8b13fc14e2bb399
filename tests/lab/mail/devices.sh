# shellcheck shell=sh
# devices.sh: what a root needs in /dev. Sourced by installed and debian.

# make_devices ROOT: a /dev in memory.
make_devices() {
	mount -t tmpfs -o mode=0755 lab "$1/dev" || return
	for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
		# shellcheck disable=SC2086 # name, major, minor
		mknod -m 666 "$1/dev/${node%% *}" c ${node#* } || return
	done
	ln -s /proc/self/fd "$1/dev/fd"
}
