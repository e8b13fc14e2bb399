# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_pin.bash: Debian's OpenSMTPD, with domains pinned that name one server. See
# senders.bash.

opensmtpd_pin_like=opensmtpd
opensmtpd_pin_packages=(opensmtpd)

opensmtpd_pin_make() {
	printf '[opensmtpd]\npin = yes\n' >>/etc/preload25/preload25-update.conf && opensmtpd_make
}
# smtpd has to know the table before the updater can have it read.
opensmtpd_pin_set_up() {
	updater setup opensmtpd --apply && opensmtpd_stop && opensmtpd_start && updater
}
