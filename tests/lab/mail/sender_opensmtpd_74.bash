# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_74.bash: OpenSMTPD 7.4, with domains pinned that name one server. See senders.bash.

# shellcheck source=tests/lab/mail/sender_opensmtpd_pin.bash
. "$(dirname "${BASH_SOURCE[0]}")/sender_opensmtpd_pin.bash"

opensmtpd_74_packages=(opensmtpd/bookworm-backports)

opensmtpd_74_make() { opensmtpd_pin_make; }
opensmtpd_74_set_up() { opensmtpd_pin_set_up; }
opensmtpd_74_start() { opensmtpd_start; }
opensmtpd_74_stop() { opensmtpd_stop; }
opensmtpd_74_queue_run() { opensmtpd_queue_run; }
opensmtpd_74_version() { opensmtpd_version; }
opensmtpd_74_send() { opensmtpd_send "$@"; }
opensmtpd_74_fate() { opensmtpd_fate "$@"; }
opensmtpd_74_queue() { opensmtpd_queue; }
