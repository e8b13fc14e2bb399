# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_76_pin.bash: Debian 13's OpenSMTPD, with domains pinned that name one server. See
# senders.bash.

opensmtpd_76_pin_like=opensmtpd_pin
opensmtpd_76_pin_debian=trixie
opensmtpd_76_pin_packages=(opensmtpd)
