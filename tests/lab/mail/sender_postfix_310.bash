# shellcheck shell=bash disable=SC2034
# sender_postfix_310.bash: Debian 13's Postfix, which compares MX hosts, too. See senders.bash.

postfix_310_like=postfix
postfix_310_debian=trixie
postfix_310_packages=(postfix postfix-cdb)
