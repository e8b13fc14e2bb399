# shellcheck shell=bash disable=SC2034
# sender_sendmail_818.bash: Sendmail 8.18, which knows DANE. See senders.bash.

sendmail_818_like=sendmail
sendmail_818_packages=({sendmail-bin,sendmail-base,sendmail-cf}/bookworm-backports m4)

# DANE lines are written once sendmail.cf has it switched on.
sendmail_818_set_up() {
	updater setup sendmail --apply && sendmail_stop && sendmail_start && updater
}
