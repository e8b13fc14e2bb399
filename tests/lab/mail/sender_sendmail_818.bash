# shellcheck shell=bash disable=SC2034
# sender_sendmail_818.bash: Sendmail 8.18, which knows DANE. See senders.bash.

# shellcheck source=tests/lab/mail/sender_sendmail.bash
. "$(dirname "${BASH_SOURCE[0]}")/sender_sendmail.bash"

sendmail_818_packages=({sendmail-bin,sendmail-base,sendmail-cf}/bookworm-backports m4)

sendmail_818_make() { updater_make sendmail && sendmail_make; }
# DANE lines are written once sendmail.cf has it switched on.
sendmail_818_set_up() {
	updater setup sendmail --apply && sendmail_stop && sendmail_start && updater
}
sendmail_818_start() { sendmail_start; }
sendmail_818_stop() { sendmail_stop; }
sendmail_818_queue_run() { sendmail_queue_run; }
sendmail_818_version() { sendmail_version; }
sendmail_818_send() { sendmail_send "$@"; }
sendmail_818_fate() { sendmail_fate "$@"; }
sendmail_818_queue() { sendmail_queue; }
