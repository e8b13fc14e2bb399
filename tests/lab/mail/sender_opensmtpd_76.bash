# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_76.bash: Debian 13's OpenSMTPD. See senders.bash.

opensmtpd_76_like=opensmtpd
opensmtpd_76_debian=trixie
opensmtpd_76_packages=(opensmtpd)
