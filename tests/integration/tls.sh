#!/bin/bash
# check against servers that ask for certificates: with and without one; what cannot be sent is said
# before anybody is connected to. And what is kept of a session.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

in_a_lab "${1:-}"

one_of() { jq -r --arg kind "$1" 'select(.kind == $kind).domain' "$LAB_DIR/truth.jsonl" | head -n 1; }
look() { preload25 --config "$LAB_DIR/preload25.conf" check "$@"; }
check 'a certificate' lab cert "$LAB_DIR" mx1.bank.test "$tmp/client.pem"
check 'another' lab cert "$LAB_DIR" mx1.cafe.test "$tmp/other.pem"
client=(--client-cert "$tmp/client.pem" --client-key "$tmp/client.pem")

for kind in tls-client-cert-demanded tls12-client-cert-demanded; do
	domain=$(one_of "$kind")
	expect "$kind: not fit without a certificate" 1 '' look --json "$domain"
	check "$kind: and the finding says why" grep -q '"tls-client-certificate-required"' "$tmp/out"
	expect "$kind: fit for who sends one" 0 '' look --json "${client[@]}" "$domain"
	check "$kind: it was asked for all the same" grep -q '"client_certificate_requested":true' "$tmp/out"
done
expect 'a key without its certificate' 2 'go together' look --client-key "$tmp/client.pem" bank.test
expect 'a key of another certificate' 2 'other.pem: not the key of the client certificate' \
	look --client-cert "$tmp/client.pem" --client-key "$tmp/other.pem" bank.test
expect 'a certificate that is not there' 2 'No such file' \
	look --client-cert "$tmp/nowhere.pem" --client-key "$tmp/client.pem" bank.test
expect 'what is no certificate' 2 'no certificate in PEM form' \
	look --client-cert "$LAB_DIR/preload25.conf" --client-key "$tmp/client.pem" bank.test

expect 'a good server carries nothing over into TLS' 0 '' look --json --test-injection bank.test
check 'nothing is found then' sh -c "! grep -q starttls-command-injection '$tmp/out'"
check 'evidence of each session is kept' jq -e '[.mx[].sessions[] | .address and .tls == "1.3" and .cipher and
	(.spki_sha256 | test("^[0-9a-f]{64}$")) and (.cert_sha256 | test("^[0-9a-f]{64}$")) and .not_after] |
	length > 0 and all' "$tmp/out"
finish
