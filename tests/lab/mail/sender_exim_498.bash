# shellcheck shell=bash disable=SC2034
# sender_exim_498.bash: Debian 13's Exim. See senders.bash.

exim_498_like=exim
exim_498_debian=trixie
exim_498_packages=(exim4-daemon-heavy exim4-config)
