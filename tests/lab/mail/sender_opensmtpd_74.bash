# shellcheck shell=bash disable=SC2034
# sender_opensmtpd_74.bash: OpenSMTPD 7.4, with domains pinned that name one server. See senders.bash.

opensmtpd_74_like=opensmtpd_pin
opensmtpd_74_packages=(opensmtpd/bookworm-backports)
