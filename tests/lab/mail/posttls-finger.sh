#!/bin/sh
# posttls-finger.sh LABDIR ARGUMENT...: Postfix's own probe against a lab, in a world of its own
# (see in-lab); for many probes enter the world once: in-lab LABDIR COMMAND, where COMMAND calls
# posttls-finger.
[ $# -ge 2 ] || { echo "usage: posttls-finger.sh LABDIR ARGUMENT..." >&2; exit 2; }
lab=$1
shift
exec "$(dirname "$0")/in-lab" "$lab" posttls-finger "$@"
