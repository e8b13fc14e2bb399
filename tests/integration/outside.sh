#!/bin/bash
# Nobody gets in: neither the machine's environment nor what DNS and web servers say changes whom the
# verifier talks to, what it sends, or whom it believes.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

in_a_lab "${1:-}"

conf=$LAB_DIR/preload25.conf
host=mta-sts.bank.test
address=$(awk -F'\t' -v h="$host" '$3 == h { print $2; exit }' "$LAB_DIR/hosts.tsv")
# connections ADDRESS: to its web server, since the counters were reset.
connections() {
	lab stats "$LAB_DIR" | awk -F'\t' -v a="$1" '$1 == "address" && $2 == "https" && $3 == a { print $4 }'
}
# requests HOST: that its web server has read.
requests() {
	lab stats "$LAB_DIR" | awk -F'\t' -v h="$1" '$1 == "host" && $2 == "https" && $3 == h { print $6 }'
}
# finding CODE DOMAIN: check has the finding, and gives up no word of the policy.
finding() {
	preload25 --config "${conf2:-$conf}" check --json "$2" >"$tmp/json" 2>&1
	if jq -e --arg c "$1" '.eligible == false and any(.findings[]; .code == $c)' "$tmp/json" >/dev/null; then
		ok "$2: $1"
	else
		not_ok "$2: $1" "$tmp/json"
	fi
}

# --- the environment -----------------------------------------------------------------------------
mkdir "$tmp/home"
echo 'default login alice password secret' >"$tmp/home/.netrc"
printf '%s\n' 'header = "X-Curlrc: 1"' 'proxy = "127.0.0.1:1"' 'cookie = "a=b"' >"$tmp/home/.curlrc"
cp "$tmp/home/.curlrc" "$tmp/home/_curlrc"
dirty=(HOME="$tmp/home" CURL_HOME="$tmp/home" XDG_CONFIG_HOME="$tmp/home" NETRC="$tmp/home/.netrc"
	http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1 HTTPS_PROXY=http://127.0.0.1:1
	all_proxy=socks5://127.0.0.1:1 ALL_PROXY=socks5://127.0.0.1:1 no_proxy=
	SSL_CERT_FILE="$LAB_DIR/ca/unknown-root.pem" SSL_CERT_DIR=/nonexistent
	SSLKEYLOGFILE="$tmp/keys")
check 'the policy host keeps what it receives' lab set "$LAB_DIR" "$host" log-request,cookies
expect 'a look through a dirty environment: fit' 0 '' \
	env "${dirty[@]}" preload25 --config "$conf" check bank.test
expect 'and another, with the cookies that were set' 0 '' \
	env "${dirty[@]}" preload25 --config "$conf" check bank.test
ehlo=$(sed -n 's/^ehlo_name *= *//p' "$conf")
version=$(preload25 --version | sed 's/^[^ ]* //')
for _ in 1 2; do
	printf 'GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: preload25/%s (%s)\r\nAccept: */*\r\n\r\n' \
		"$host" "$LAB_HTTPS_PORT" "$version" "${ehlo:-localhost}"
done >"$tmp/want"
check 'the server received what the verifier sends, no octet more' cmp "$tmp/want" "$LAB_DIR/run/requests"
check 'no session keys were written' test ! -e "$tmp/keys"

# The other way round: what SSL_CERT_FILE trusts is not trusted.
conf2=$tmp/system-store.conf
grep -v '^ca_file' "$conf" >"$conf2"
export SSL_CERT_FILE=$LAB_DIR/ca/root.pem
finding mta-sts-policy-certificate bank.test
unset SSL_CERT_FILE
conf2=

# --- what only a thorough look finds ---------------------------------------------------------------
# said TEXT DOMAIN: check --json says it in a message.
said() {
	preload25 --config "$conf" check --json "$2" >"$tmp/json" 2>&1
	if jq -e --arg t "$1" 'any(.findings[]; (.code + ": " + .message) | contains($t))' "$tmp/json" >/dev/null; then
		ok "$2: $1"
	else
		not_ok "$2: $1" "$tmp/json"
	fi
}
said 'comes from the wildcard' sts-wildcard-txt-1.test
printf 'version: STSv1\r\nmode: enforce\r\nmx: *.bank.test\r\nmx: mx.former-provider.test\r\nmax_age: 604800\r\n' \
	>"$tmp/moving"
check 'a policy with a line too many' lab policy-set "$LAB_DIR" bank.test "$tmp/moving"
said 'mta-sts-mx-unused' bank.test

# --- redirects -----------------------------------------------------------------------------------
lab stats --reset "$LAB_DIR" >/dev/null
for code in 303 307 308; do
	domain=policy-redirect-$code-1.test
	finding mta-sts-policy-redirect "$domain"
	check "$domain: one request, none followed" test "$(requests "mta-sts.$domain")" = 1
done

# --- addresses -----------------------------------------------------------------------------------
lab stats --reset "$LAB_DIR" >/dev/null
check 'one of two addresses is private' \
	lab zone-set "$LAB_DIR" "$host" A "$address" 10.0.0.1
finding mta-sts-policy-special-address bank.test
check 'nobody connected to the other one' test "$(connections "$address")" = 0
check 'a private address in IPv6 clothes' lab zone-set "$LAB_DIR" "$host" AAAA ::ffff:10.0.0.1
check 'beside a sound one' lab zone-set "$LAB_DIR" "$host" A "$address"
finding mta-sts-policy-special-address bank.test
check 'nobody connected then either' test "$(connections "$address")" = 0
check 'the sound one alone' lab zone-set --delete "$LAB_DIR" "$host" AAAA
expect 'is fit again' 0 '' preload25 --config "$conf" check bank.test
check 'the alias of a policy host may lead elsewhere' \
	lab zone-set --delete "$LAB_DIR" "$host" A
check 'but not to a private address' \
	lab zone-set "$LAB_DIR" "$host" CNAME inside.bank.test.
check 'of the internal network' lab zone-set "$LAB_DIR" inside.bank.test A 192.168.0.1
finding mta-sts-policy-special-address bank.test
finish
