# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_pin.bash: Debian's OpenSMTPD, with domains pinned that name one server. See
# senders.bash.

# shellcheck source=tests/lab/mail/sender_opensmtpd.bash
. "$(dirname "${BASH_SOURCE[0]}")/sender_opensmtpd.bash"

opensmtpd_pin_packages=("${opensmtpd_packages[@]}")

opensmtpd_pin_make() {
	updater_make opensmtpd '[opensmtpd]' 'pin = yes' && opensmtpd_make
}
# smtpd has to know the table before the updater can have it read.
opensmtpd_pin_set_up() {
	updater setup opensmtpd --apply && opensmtpd_stop && opensmtpd_start && updater
}
opensmtpd_pin_start() { opensmtpd_start; }
opensmtpd_pin_stop() { opensmtpd_stop; }
opensmtpd_pin_queue_run() { opensmtpd_queue_run; }
opensmtpd_pin_version() { opensmtpd_version; }
opensmtpd_pin_send() { opensmtpd_send "$@"; }
opensmtpd_pin_fate() { opensmtpd_fate "$@"; }
opensmtpd_pin_queue() { opensmtpd_queue; }
