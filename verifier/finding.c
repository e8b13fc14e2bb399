#include "verifier/finding.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"

/* R21.1 cuts what was seen at 200 characters; a message holds that and our own words. */
#define MESSAGE_SIZE 600
#define SUBJECT_SIZE 300
#define QUOTE_SIZE   201

/* One row is one line, however long. */
/* clang-format off */
#define INFO SEVERITY_INFO
#define WARN SEVERITY_WARN
#define FAIL SEVERITY_FAIL
#define TEMP SEVERITY_TEMP

/* Code, usual severity, meaning, rule, general advice. Rules whose outcome is "na" are info: they
 * change nothing. The order is that of the rule book and decides what is shown first. */
const struct finding_info finding_table[] = {
	/* 1. The domain as typed */
	{"domain-empty", FAIL, "Nothing was entered.", "R1.2", "Enter the domain behind the @ of a mail address."},
	{"domain-bad-encoding", FAIL, "The input is not UTF-8.", "R1.3", "Enter the name in UTF-8 or as A-labels (xn--...)."},
	{"domain-is-address", FAIL, "A mail address was entered, not a domain.", "R1.4", "Enter what stands after the @."},
	{"domain-is-url", FAIL, "A URL was entered, not a domain.", "R1.5", "Enter the mail domain alone, without scheme and path."},
	{"domain-ip-literal", FAIL, "An IP address was entered; addresses cannot be listed.", "R1.6", "Enter a domain name."},
	{"domain-bad-character", FAIL, "The name holds a character that is no letter, digit, hyphen or dot.", "R1.7", "Enter the mail domain itself, without record prefix, port, wildcard or blanks."},
	{"domain-empty-label", FAIL, "The name has an empty label: two dots in a row, or a dot in front.", "R1.8", "Remove the surplus dot."},
	{"domain-bad-hyphen", FAIL, "A label begins or ends with a hyphen, or has hyphens in positions 3 and 4.", "R1.9", "Check the spelling: no registry gives out such names."},
	{"domain-idna-invalid", FAIL, "The name is no valid internationalised domain name (IDNA2008).", "R1.10", "Check the spelling, or enter the A-label form that the registry shows."},
	{"domain-label-too-long", FAIL, "A label is longer than 63 octets.", "R1.11", "Check the spelling: DNS has no such names."},
	{"domain-too-long", FAIL, "The name is longer than 253 octets.", "R1.11", "Check the spelling: DNS has no such names."},
	{"domain-too-long-for-mta-sts", WARN, "The name is so long that _mta-sts. and mta-sts. do not fit in front.", "R1.12", "Use DANE, or a shorter mail domain."},
	{"domain-single-label", FAIL, "The name has one label only.", "R1.13", "Enter the full domain name."},
	{"domain-numeric-tld", FAIL, "The last label is a number; address parsers read such names as IPv4.", "R1.14", "Enter a domain name."},
	{"domain-special-use", FAIL, "The name is reserved for special use and not in the public DNS.", "R1.15", "Enter a domain that is registered."},
	{"domain-public-suffix", FAIL, "The name is a public suffix, under which others register domains.", "R1.16", "Enter the registered domain below it."},
	{"domain-private-suffix", WARN, "The name is a suffix under which an organisation gives names to others.", "R1.17", "Nothing to do if the organisation itself receives mail under this name."},
	{"domain-is-subdomain", INFO, "The name is below a registered domain; it inherits neither policy nor listing from it.", "R1.18", NULL},

	/* 2. DNS in general */
	{"verifier-resolver-broken", TEMP, "The verifier's own resolver failed its self-test; nothing was judged.", "R2.2", "Nothing is wrong with the domain: whoever runs the verifier checks its resolver, trust anchor and clock."},
	{"domain-nxdomain", FAIL, "The domain does not exist in DNS.", "R2.3", "Check the spelling and whether the registration has run out."},
	{"dns-temporary", TEMP, "A DNS look-up failed, so this could not be tested.", "R2.4", "Check that all name servers of the zone answer, over UDP and TCP."},
	{"dnssec-bogus", TEMP, "DNSSEC validation fails; validating senders already defer mail.", "R2.5", "Compare the DS records at the registrar with the zone's keys, and re-sign if signatures have expired."},
	{"dnssec-insecure", INFO, "The zone is not signed, or signed in a way that validators decline.", "R2.6", NULL},
	{"dns-alias-loop", TEMP, "An alias chain in DNS is a loop or has more than 10 steps.", "R2.7", "Let the first name point to the last one directly."},
	{"dns-inconsistent", WARN, "Authoritative servers answer differently for longer than the TTL.", "R2.9", "Check zone transfers: one name server serves an old zone."},

	/* 3. MX */
	{"mx-implicit", INFO, "There is no MX record; the domain's own address is the mail host.", "R3.2", "Publish an explicit MX record."},
	{"mx-missing", FAIL, "The domain has neither MX nor address: it cannot receive mail.", "R3.3", "Publish an MX record."},
	{"mx-null", FAIL, "A null MX record says that the domain receives no mail.", "R3.4", NULL},
	{"mx-null-preference", WARN, "The null MX record has another preference than 0.", "R3.4", "Publish the record as: MX 0 ."},
	{"mx-null-with-others", FAIL, "A null MX record stands beside other MX records.", "R3.5", "Delete the record with the target \".\", or all others."},
	{"mx-cname", WARN, "An MX record names an alias.", "R3.6", "Name the host itself in the MX record."},
	{"domain-cname", INFO, "The domain is an alias; MX comes from its target, policy and listing stay with the original name.", "R3.7", NULL},
	{"mx-is-address", FAIL, "An MX record names an IP address.", "R3.8", "Name a host in the MX record that has an A or AAAA record."},
	{"mx-name-invalid", WARN, "An MX record names something that is no legal host name; public CAs certify no such name.", "R3.9", "Give the host a name of letters, digits and hyphens."},
	{"mx-special-use", FAIL, "An MX record names a host under a special-use name.", "R3.10", "Name a host in the public DNS."},
	{"mx-no-address", WARN, "An MX host has neither A nor AAAA record.", "R3.11", "Publish an address for the host, or remove the MX record."},
	{"mx-dangling", FAIL, "The domain of an MX host is not registered: whoever registers it receives the mail.", "R3.12", "Remove this MX record today."},
	{"mx-special-address", FAIL, "An MX host has a private, loopback or otherwise special address.", "R3.14", "Publish a public address for the host."},
	{"mx-ipv6-unreachable", WARN, "The host does not answer on its IPv6 address.", "R3.15", "Let the server listen on IPv6, or remove the AAAA record."},
	{"verifier-no-ipv6", INFO, "This vantage point has no IPv6; IPv6 addresses were not tested.", "R3.15", NULL},
	{"mx-ipv4-only", INFO, "No MX host has an IPv6 address.", "R3.16", NULL},
	{"mx-ipv6-only", WARN, "No MX host has an IPv4 address; many senders cannot deliver.", "R3.16", "Publish an A record for at least one MX host."},
	{"mx-too-many", FAIL, "There are more MX hosts or addresses than are tested (32 hosts, 16 addresses each, 128 in all).", "R3.17", "Publish fewer MX hosts or addresses."},
	{"mx-unreachable", TEMP, "An MX host does not answer, so it could not be tested.", "R3.18", "Check that the host answers on port 25, or remove its MX record."},
	{"mx-all-unreachable", TEMP, "No MX host answers, so nothing could be tested.", "R3.19", "Check that the hosts answer on port 25 from outside your network."},
	{"mx-inconsistent", WARN, "Vantage points see different MX sets.", "R3.21", "Check that all name servers serve the same zone."},

	/* 4. SMTP session */
	{"smtp-connect-refused", TEMP, "The connection to port 25 was refused.", "R4.1", "Check that the mail server runs and listens on port 25."},
	{"smtp-connect-timeout", TEMP, "The connection to port 25 timed out.", "R4.1", "Check firewall and routing for port 25."},
	{"smtp-connection-lost", TEMP, "The server closed or reset the connection.", "R4.14", "Look into the mail server's log for this time."},
	{"verifier-port25-blocked", TEMP, "This vantage point cannot reach port 25 anywhere; nothing was judged.", "R4.2", "Nothing is wrong with the domain: whoever runs the verifier opens port 25 to the outside, and checks that the reference host is up."},
	{"verifier-port25-intercepted", TEMP, "Port 25 is intercepted at this vantage point; nothing was judged.", "R4.2", "Nothing is wrong with the domain: whoever runs the verifier has the network leave port 25 alone, or names the reference host's new key."},
	{"smtp-greeting-timeout", TEMP, "The server sent no complete greeting in time.", "R4.3", "Check the server's load and its look-ups before the greeting."},
	{"smtp-greeting-temporary", TEMP, "The server greeted with a temporary refusal.", "R4.4", "Look into the mail server's log; connection limits may be too low."},
	{"smtp-greeting-rejected", FAIL, "The server refuses to talk to the verifier.", "R4.4", "Allow the verifier's address, and check which block list caused the refusal."},
	{"smtp-greeting-unexpected", FAIL, "The greeting has a code that SMTP does not know there.", "R4.4", "Check what listens on port 25: an SMTP server greets with 220."},
	{"smtp-reply-code", FAIL, "A reply does not begin with a valid three-digit code.", "R4.6", "Check what listens on port 25, and switch off firewalls that rewrite SMTP."},
	{"smtp-reply-separator", FAIL, "Neither space nor hyphen follows the code of a reply.", "R4.6", "Update the mail server, or switch off firewalls that rewrite SMTP."},
	{"smtp-reply-code-mismatch", FAIL, "The lines of one reply carry different codes.", "R4.6", "Update the mail server, or switch off firewalls that rewrite SMTP."},
	{"smtp-bare-lf", FAIL, "A reply line ends in LF without CR.", "R4.7", "Let the server end its lines with CR LF; check hand-made banner texts."},
	{"smtp-reply-control-char", FAIL, "A reply holds a control character.", "R4.8", "Remove control characters from the server's banner and reply texts."},
	{"smtp-reply-non-ascii", WARN, "A reply holds octets above 127.", "R4.8", "Write banner and reply texts in ASCII."},
	{"smtp-reply-line-long", WARN, "A reply line is longer than 512 octets.", "R4.9", "Shorten banner and reply texts."},
	{"smtp-reply-line-too-long", FAIL, "A reply line is longer than 2,048 octets.", "R4.9", "Shorten banner and reply texts."},
	{"smtp-reply-too-many-lines", FAIL, "A reply has more than 100 lines.", "R4.9", "Shorten banner and reply texts."},
	{"smtp-data-before-command", FAIL, "The server sent something before it was asked.", "R4.10", "Switch off firewalls that rewrite SMTP; the session is out of step."},
	{"ehlo-temporary", TEMP, "The server answered EHLO with a temporary refusal.", "R4.11", "Look into the mail server's log; connection limits may be too low."},
	{"ehlo-rejected", FAIL, "The server refuses EHLO, so it cannot offer STARTTLS.", "R4.11", "Switch off firewalls that block EHLO (\"SMTP fixup\"), or update the mail server."},
	{"smtp-timeout", TEMP, "The server answered too slowly.", "R4.15", "Check the server's load and its look-ups during the session."},
	{"smtp-blocked-here", TEMP, "The server refuses some vantage points and welcomes others.", "R4.18", "Allow the verifier's published addresses."},

	/* 5. STARTTLS */
	{"starttls-keyword-parameters", WARN, "Something stands behind the STARTTLS keyword; some senders overlook it then.", "R5.1", "Let the server offer the bare keyword STARTTLS."},
	{"starttls-not-offered", FAIL, "The server does not offer STARTTLS: mail arrives in clear.", "R5.2", "Install a certificate and switch TLS on for port 25, not only for 465 and 587."},
	{"starttls-stripped", FAIL, "A device on the path masks the offer of STARTTLS.", "R5.3", "Switch off SMTP inspection in the firewall in front of the mail server."},
	{"starttls-inconsistent", FAIL, "STARTTLS is offered on some addresses or to some places only.", "R5.4", "Configure all servers behind this name alike."},
	{"starttls-temporary", TEMP, "The server offered STARTTLS, then refused it for now.", "R5.5", "Look into the mail server's log: usually it cannot read its key file."},
	{"starttls-rejected", FAIL, "The server offered STARTTLS, then refused it.", "R5.5", "Look into the mail server's log: certificate or key are missing or unreadable."},
	{"starttls-unexpected-code", FAIL, "The server answered STARTTLS with a code that SMTP does not know there.", "R5.5", "Update the mail server, or switch off firewalls that rewrite SMTP."},
	{"starttls-plaintext-after-reply", FAIL, "Octets in clear follow the reply to STARTTLS before the handshake.", "R5.6", "Update the mail server, and look for a device that injects text."},
	{"ehlo-after-tls-failed", FAIL, "The server refuses EHLO inside TLS.", "R5.7", "Look into the mail server's log."},
	{"starttls-offered-after-tls", WARN, "STARTTLS is offered again inside TLS.", "R5.8", "Update the mail server."},
	{"starttls-command-injection", WARN, "Commands sent in clear behind STARTTLS are carried out inside TLS.", "R5.9", "Update the mail server: this is a known security hole."},

	/* 6. TLS */
	{"tls-version-too-old", FAIL, "The server speaks neither TLS 1.2 nor 1.3.", "R6.2", "Upgrade the TLS library or change the server's protocol setting."},
	{"tls-version-old-enabled", WARN, "The server still accepts TLS 1.0 or 1.1.", "R6.3", "Switch TLS 1.0 and 1.1 off when your oldest correspondents allow."},
	{"tls13", INFO, "TLS 1.3 was negotiated.", "R6.4", NULL},
	{"tls13-missing", INFO, "The server does not speak TLS 1.3.", "R6.4", NULL},
	{"tls-sni-required", WARN, "The server breaks off when the client names a host it does not know, or none.", "R6.5", "Configure a fallback certificate."},
	{"tls-sni-rejected", FAIL, "The server breaks off when the client names its own MX name.", "R6.5", "Add the MX name to the TLS configuration, or switch strict SNI off."},
	{"tls-handshake-failed", FAIL, "The TLS handshake fails.", "R6.6", "Look into the mail server's log; certificate, key and protocol settings must fit together."},
	{"tls-handshake-timeout", TEMP, "The TLS handshake was not finished in time or the server closed the connection.", "R6.6", "Look into the mail server's log."},
	{"tls-cipher-weak", WARN, "There is no common cipher with forward secrecy and authenticated encryption.", "R6.7", "Enable ECDHE with AES-GCM or ChaCha20."},
	{"tls-cipher-broken", FAIL, "The server offers only broken ciphers.", "R6.7", "Enable ECDHE with AES-GCM or ChaCha20."},
	{"tls-key-weak", FAIL, "A key is too short.", "R6.8", "Use RSA keys of 2,048 bits or more, or an EC key of 256 bits."},
	{"tls-signature-weak", FAIL, "A certificate is signed with SHA-1 or MD5.", "R6.9", "Renew the certificate with a CA of today."},
	{"tls-client-certificate-requested", INFO, "The server asks for a client certificate, which is common and harmless.", "R6.10", NULL},
	{"tls-client-certificate-required", FAIL, "The server breaks off without a client certificate: ordinary senders cannot deliver.", "R6.11", "Make the client certificate optional on port 25."},
	{"tls-staple-missing", WARN, "The certificate demands an OCSP staple and none comes.", "R6.12", "Switch OCSP stapling on, or get a certificate without must-staple."},
	{"tls-chain-too-large", FAIL, "The handshake or certificate chain is too large.", "R6.15", "Send the leaf and its intermediates only."},

	/* 7. PKIX: chain and name of the MX host */
	{"pkix-incomplete-chain", FAIL, "An intermediate certificate is missing in what the server sends.", "R7.2", "Install the full chain (fullchain.pem), not the certificate alone."},
	{"pkix-self-signed", FAIL, "The certificate is self-signed.", "R7.3", "Install a certificate of a public CA."},
	{"pkix-untrusted", FAIL, "The chain does not lead to a public root.", "R7.3", "Install a certificate of a public CA."},
	{"pkix-expired", FAIL, "The certificate has expired.", "R7.4", "Renew the certificate, and check why renewal did not run or the server was not reloaded."},
	{"pkix-not-yet-valid", FAIL, "The certificate is not valid yet.", "R7.4", "Check the clock of the machine that made the certificate."},
	{"pkix-expires-soon", WARN, "The certificate expires in less than 7 days.", "R7.4", "Renew the certificate, and check that renewal runs by itself."},
	{"pkix-name-mismatch", FAIL, "The certificate does not name the MX host.", "R7.5", "Get a certificate that has the MX host name as a DNS name."},
	{"pkix-revoked", FAIL, "The certificate has been revoked.", "R6.12", "Replace key and certificate."},
	{"pkix-purpose", FAIL, "The certificate is not meant for servers.", "R7.11", "Get a certificate with the purpose serverAuth."},
	{"pkix-chain-invalid", FAIL, "The certificate chain is not valid.", "R7.11", "Install the chain exactly as the CA delivers it."},

	/* 8. MTA-STS record */
	{"mta-sts-record-cname", INFO, "The MTA-STS record was reached through an alias.", "R8.1", NULL},
	{"mta-sts-record-missing", INFO, "There is no MTA-STS record; MTA-STS is not used.", "R8.2", NULL},
	{"mta-sts-record-version", FAIL, "A record is meant for MTA-STS but does not begin with v=STSv1;", "R8.4", "Let the record begin with v=STSv1; exactly, without quotation marks or blanks."},
	{"mta-sts-record-multiple", FAIL, "There is more than one MTA-STS record, so none counts.", "R8.5", "Delete all but one."},
	{"mta-sts-record-ambiguous", WARN, "A record begins with v=STSv1 but no semicolon follows: some senders count it, others do not.", "R8.6", "Delete that record or correct it."},
	{"mta-sts-record-space-before-semicolon", WARN, "There is a blank before the first semicolon of the MTA-STS record.", "R8.7", "Remove the blank."},
	{"mta-sts-id-missing", FAIL, "The MTA-STS record has no id.", "R8.8", "Add an id made of the date and time, digits only."},
	{"mta-sts-id-invalid", FAIL, "The id of the MTA-STS record is not 1 to 32 letters and digits.", "R8.8", "Use the date and time, digits only."},
	{"mta-sts-record-syntax", FAIL, "A field of the MTA-STS record is malformed.", "R8.9", "Write fields as name=value, divided by semicolons."},
	{"mta-sts-record-duplicate-field", WARN, "A field stands twice in the MTA-STS record; senders differ on which counts.", "R8.11", "Remove the second one."},
	{"mta-sts-record-wrong-location", FAIL, "The MTA-STS record was found at another name than _mta-sts.", "R8.12", "Move the record to _mta-sts. in front of the domain."},
	{"mta-sts-policy-without-record", WARN, "A policy is served but there is no MTA-STS record: senders never look for it.", "R8.13", "Publish the record."},
	{"mta-sts-id-unchanged", WARN, "The policy has changed but the id has not: senders keep the old policy.", "R8.14", "Change the id of the record."},

	/* 9. Fetching the policy */
	{"mta-sts-policy-host-missing", FAIL, "The policy host mta-sts. has no address.", "R9.2", "Publish an address or alias for mta-sts. in front of the domain."},
	{"mta-sts-policy-special-address", FAIL, "The policy host has a private, loopback or otherwise special address.", "R9.2", "Publish a public address for the policy host."},
	{"mta-sts-policy-connect", TEMP, "The policy host could not be reached.", "R9.3", "Check that the web server answers on port 443."},
	{"mta-sts-policy-timeout", TEMP, "The policy host was too slow.", "R9.3", "Check the web server's load."},
	{"mta-sts-policy-certificate", FAIL, "The certificate of the policy host is not valid for it.", "R9.4", "Add the policy host to the web server's certificate and renew it."},
	{"mta-sts-policy-tls", FAIL, "The policy host does not speak TLS 1.2 or the handshake fails.", "R9.5", "Check the TLS settings of the web server."},
	{"mta-sts-policy-redirect", FAIL, "The policy host answers with a redirect, which senders must not follow.", "R9.6", "Serve the policy at this URL itself."},
	{"mta-sts-policy-http-temporary", TEMP, "The policy host answers with a temporary HTTP status.", "R9.6", "Check the web server's log."},
	{"mta-sts-policy-http-status", FAIL, "The policy host answers with another HTTP status than 200.", "R9.6", "Serve the policy at this URL, and exempt it from bot protection."},
	{"mta-sts-policy-content-type", FAIL, "The policy is not served as text/plain.", "R9.7", "Serve the policy with the header Content-Type: text/plain."},
	{"mta-sts-policy-charset", WARN, "The policy is served with another charset than utf-8 or us-ascii.", "R9.8", "Serve the policy with charset=utf-8."},
	{"mta-sts-policy-too-large", FAIL, "The policy is larger than 65,536 octets.", "R9.9", "Shorten the policy."},
	{"mta-sts-policy-truncated", TEMP, "The policy came incomplete.", "R9.10", "Check the web server's log."},
	{"mta-sts-policy-encoding", FAIL, "The policy is served compressed although nobody asked for it.", "R9.10", "Serve the policy without Content-Encoding."},
	{"mta-sts-policy-inconsistent", WARN, "Vantage points see different policies for more than an hour.", "R9.13", "Serve the same policy from all web servers."},

	/* 10. Policy text */
	{"mta-sts-policy-empty", FAIL, "The policy is empty.", "R10.2", "Put the policy text into the file."},
	{"mta-sts-policy-bom", FAIL, "The policy begins with a byte order mark.", "R10.2", "Save the file as plain text without BOM."},
	{"mta-sts-policy-blank-line", FAIL, "The policy has a blank line.", "R10.2", "Delete empty lines."},
	{"mta-sts-policy-syntax", FAIL, "A line of the policy is not of the form key: value.", "R10.3", "Write one key: value pair per line; there are no comments."},
	{"mta-sts-policy-version-missing", FAIL, "The policy has no version line.", "R10.5", "Add the line: version: STSv1"},
	{"mta-sts-policy-version", FAIL, "The version of the policy is not STSv1.", "R10.5", "Write the line: version: STSv1"},
	{"mta-sts-policy-mode-missing", FAIL, "The policy has no mode line.", "R10.6", "Add the line: mode: enforce"},
	{"mta-sts-policy-mode", FAIL, "The mode is not enforce, testing or none.", "R10.6", "Write enforce, testing or none, in lower case."},
	{"mta-sts-policy-max-age-missing", FAIL, "The policy has no max_age line.", "R10.7", "Add the line: max_age: 2592000"},
	{"mta-sts-policy-max-age", FAIL, "The max_age is not a number of 1 to 10 digits.", "R10.7", "Write the seconds in digits only, for example 2592000 for 30 days."},
	{"mta-sts-policy-max-age-range", FAIL, "The max_age is above 31,557,600 seconds (one year).", "R10.7", "Write at most 31557600."},
	{"mta-sts-policy-mx-syntax", FAIL, "An mx line holds no host name and no wildcard of the form *.name.", "R10.8", "Write one host per mx: line, without dot at the end."},
	{"mta-sts-policy-mx-ip", WARN, "An mx line holds an IP address; some senders drop the whole policy, so it blocks listing.", "R10.9", "Write the host's name."},
	{"mta-sts-policy-mx-too-wide", WARN, "An mx wildcard covers a public suffix; this blocks listing.", "R10.10", "Write your own hosts."},
	{"mta-sts-policy-mx-missing", FAIL, "The policy names no mx.", "R10.11", "Add one mx: line for each MX host."},
	{"mta-sts-policy-duplicate-key", WARN, "A key stands twice; senders differ on which counts, so it blocks listing.", "R10.12", "Remove the second line."},

	/* 11. Policy against reality */
	{"mta-sts-mx-mismatch", FAIL, "An MX host matches no mx line of the policy: senders that enforce it do not deliver there.", "R11.2", "Add the host to the policy and change the id of the record."},
	{"mta-sts-mx-unused", INFO, "An mx line of the policy matches no present MX host.", "R11.3", NULL},
	{"mta-sts-mode-testing", INFO, "The policy is in testing: senders report failures and deliver all the same.", "R11.5", "Set enforce after some weeks of clean reports."},
	{"mta-sts-mode-none", INFO, "The policy says mode none: the owner wants no enforcement.", "R11.6", NULL},
	{"mta-sts-max-age-short", WARN, "The max_age is below a week: protection between visits suffers.", "R11.7", "Set max_age to some weeks, for example 2592000."},

	/* 12. DANE: finding the records */
	{"dane-mx-insecure", WARN, "The MX records are not signed, so DANE cannot authenticate the way to the host.", "R12.2", "Sign the mail domain with DNSSEC."},
	{"dane-address-insecure", INFO, "The host's addresses are not signed; TLSA is not looked for.", "R12.4", NULL},
	{"dane-no-tlsa", INFO, "The host has no TLSA record.", "R12.7", NULL},
	{"dane-tlsa-insecure", INFO, "The TLSA records are not signed and protect nobody.", "R12.7", "Sign the zone of the MX host with DNSSEC."},
	{"dane-tlsa-lookup-failed", TEMP, "The look-up of TLSA records fails; senders with DANE defer mail.", "R12.8", "Test each name server: those that fail on TLSA or on _tcp names must be replaced or updated."},
	{"tlsa-at-domain", WARN, "TLSA records stand at the domain instead of the MX host; they are never used.", "R12.9", "Publish them under the MX host."},
	{"dane-partial", WARN, "Some MX hosts have DANE and some do not; an attacker steers to the weaker one.", "R12.10", "Publish TLSA records for all MX hosts."},
	{"dane-starttls-missing", FAIL, "TLSA records exist but the host does not offer STARTTLS: senders with DANE do not deliver.", "R12.11", "Switch STARTTLS on, or remove the TLSA records."},

	/* 13. TLSA records one by one */
	{"tlsa-usage-unusable", WARN, "A TLSA record has a usage that SMTP does not use.", "R13.1", "Publish usage 3 (or 2); data of 1 1 1 usually fit as 3 1 1."},
	{"tlsa-selector-unknown", WARN, "A TLSA record has an unknown selector.", "R13.2", "Publish selector 1 (the key)."},
	{"tlsa-matching-unknown", WARN, "A TLSA record has an unknown matching type.", "R13.2", "Publish matching type 1 (SHA-256)."},
	{"tlsa-digest-length", WARN, "The digest of a TLSA record has the wrong length.", "R13.3", "Publish 32 octets for SHA-256, 64 for SHA-512."},
	{"tlsa-full-data-invalid", WARN, "A TLSA record with full data holds no certificate or key.", "R13.4", "Publish a digest (3 1 1) instead."},
	{"tlsa-malformed", WARN, "A TLSA record cannot be parsed.", "R13.5", "Publish it again, for example as 3 1 1."},
	{"tlsa-all-unusable", WARN, "No TLSA record is usable: senders require TLS and authenticate nothing.", "R13.6", "Publish a 3 1 1 record of the key in use."},
	{"tlsa-agility-mismatch", FAIL, "The strongest digest matches nothing although a weaker one does: most senders with DANE do not deliver.", "R13.8", "Publish both digests for every key, or SHA-256 only."},
	{"tlsa-certificate-pinned", INFO, "A TLSA record names the whole certificate and breaks at every renewal.", "R13.9", "Publish 3 1 1, the key, and renew with the same key."},
	{"tlsa-public-intermediate", WARN, "A TLSA record names an intermediate of a public CA, which may change without notice.", "R13.9", "Publish 3 1 1 beside it."},
	{"tlsa-set-large", WARN, "The TLSA set is so large that it needs TCP.", "R13.10", "Remove old records; use digests."},
	{"tlsa-combination-stale", WARN, "No record of one usage, selector and matching type matches, while another does.", "R13.11", "Update or remove the stale records."},

	/* 14. DANE matching */
	{"tlsa-ta-not-in-chain", FAIL, "The trust anchor named by the TLSA record is not in the chain that the server sends.", "R14.3", "Let the server send the issuer too, root included."},
	{"tlsa-chain-expired", FAIL, "The chain below the DANE trust anchor has expired or is not valid yet.", "R14.5", "Renew the certificate."},
	{"tlsa-chain-invalid", FAIL, "The chain below the DANE trust anchor is not valid.", "R14.5", "Install the chain exactly as the CA delivers it."},
	{"tlsa-name-mismatch", FAIL, "The certificate below the DANE trust anchor names neither the host nor the domain.", "R14.6", "Get a certificate with the MX host name, or publish 3 1 1."},
	{"tlsa-mismatch", FAIL, "No TLSA record matches the certificate: senders with DANE do not deliver.", "R14.7", "Publish the digest of the key in use; keep the old record until its TTL has passed twice."},

	/* 16. TLSRPT */
	{"tlsrpt-record-missing", WARN, "There is no TLSRPT record: nobody reports failures to you.", "R16.1", "Publish a TLSRPT record with an address for reports."},
	{"tlsrpt-record-version", WARN, "A record is meant for TLSRPT but does not begin with v=TLSRPTv1;", "R16.2", "Let the record begin with v=TLSRPTv1; exactly."},
	{"tlsrpt-record-space-before-semicolon", WARN, "There is a blank before the first semicolon of the TLSRPT record.", "R16.2", "Remove the blank."},
	{"tlsrpt-record-multiple", WARN, "There is more than one TLSRPT record: senders report to nobody.", "R16.3", "Delete all but one."},
	{"tlsrpt-rua-missing", WARN, "The TLSRPT record has no rua.", "R16.4", "Add rua=mailto: and an address."},
	{"tlsrpt-rua-repeated", WARN, "The TLSRPT record has several rua fields; some senders read the first only.", "R16.4", "Write one rua with the addresses divided by commas."},
	{"tlsrpt-rua-syntax", WARN, "The rua of the TLSRPT record is not a list of URIs.", "R16.5", "Write mailto: in front of a mail address."},
	{"tlsrpt-no-usable-uri", WARN, "The TLSRPT record has no address of a kind that senders report to.", "R16.6", "Use mailto: or https:."},
	{"tlsrpt-record-syntax", WARN, "A field of the TLSRPT record is malformed.", "R16.7", "Write fields as name=value, divided by semicolons."},

	/* 17. Several vantage points */
	{"vantage-too-few", TEMP, "Too few vantage points have answered.", "R17.3", NULL},
	{"vantage-disagree", TEMP, "Vantage points disagree.", "R17.4", NULL},
	{"vantage-keys-differ", INFO, "Vantage points see different keys over more than a day.", "R17.8", NULL},

	/* 18. Eligibility */
	{"eligibility-dane-broken", FAIL, "DANE is broken although MTA-STS is fine; senders with DANE cannot deliver.", "R18.3", "Mend or remove the TLSA records."},
	{"eligibility-max-age", FAIL, "The max_age is shorter than the list admits.", "R18.4", "Set max_age to at least 86400, better 2592000."},
	{"eligibility-observing", INFO, "The domain passes and is being observed before it is listed.", "R18.5", NULL},
	{"eligibility-refused", FAIL, "The domain or the operator has refused the listing.", "R18.7", "Change mode=none in the opt-in record if you want to be listed."},

	/* 19. Opt-in record */
	{"preload-record-missing", INFO, "There is no opt-in record.", "R19.1", NULL},
	{"preload-record-version", FAIL, "A record is meant as opt-in but does not begin with v=PRELOAD25v1;", "R19.1", "Let the record begin with v=PRELOAD25v1; exactly."},
	{"preload-record-multiple", FAIL, "There is more than one opt-in record, so none counts.", "R19.1", "Delete all but one."},
	{"preload-record-syntax", FAIL, "A field of the opt-in record is malformed.", "R19.2", "Write fields as name=value, divided by semicolons."},
	{"preload-record-duplicate-field", FAIL, "A field of the opt-in record that may stand once stands twice.", "R19.2", "Remove the second one."},
	{"preload-mode-missing", FAIL, "The opt-in record has no mode.", "R19.3", "Add mode=enforce, mode=testing or mode=none."},
	{"preload-mode", FAIL, "The mode of the opt-in record is not enforce, testing or none.", "R19.3", "Write enforce, testing or none, in lower case."},
	{"preload-max-age", FAIL, "The max_age of the opt-in record is not a number from 86,400 to 31,557,600.", "R19.4", "Write the seconds in digits, for example max_age=2592000, or leave the field out."},
	{"preload-mx-syntax", FAIL, "An mx field of the opt-in record is no host name, no wildcard *.name, or too wide.", "R19.5", "Write one host per mx= field, or leave the fields out."},
	{"preload-mx-mismatch", FAIL, "An MX host matches no mx field of the opt-in record.", "R19.5", "Add the host to the record."},
	{"preload-contact", WARN, "The contact of the opt-in record is not one mailto: URI.", "R19.6", "Write contact=mailto: and one address."},
	{"preload-until", FAIL, "The until of the opt-in record is not a date YYYYMMDD.", "R19.6", "Write the last day as eight digits, for example until=20301231."},
	{"preload-expired", INFO, "The opt-in record has passed its until date.", "R19.6", "Set a later date."},
	{"preload-policy-differs", INFO, "Opt-in record and MTA-STS policy differ; the policy decides, unless one says none.", "R19.7", NULL},

	/* 20. Leaving the list */
	{"leave-proven", INFO, "The owner has proven the wish to leave; the next list is without the domain.", "R20.1", NULL},
	{"leave-not-proven", INFO, "What was seen does not prove that the owner wants to leave.", "R20.3", "Publish mode=none in the opt-in record, or mode: none in the MTA-STS policy."},
	{"entry-failing", FAIL, "A listed domain is broken for every vantage point.", "R20.4", "Mend what is reported, or leave the list."},
	{"entry-demoted", WARN, "A listed domain has been broken for 14 days and is listed as testing now.", "R20.4", "Mend what is reported."},
	{"entry-removed", INFO, "A listed domain has been broken for 28 days and is no longer listed.", "R20.4", NULL},
	{"entry-domain-gone", INFO, "A listed domain no longer exists.", "R20.5", NULL},
	{"build-churn", FAIL, "A build would change so much at once that it stopped.", "R20.10", NULL},
};
/* clang-format on */
const size_t finding_table_count = ARRAY_LEN(finding_table);

#undef INFO
#undef WARN
#undef FAIL
#undef TEMP

const struct finding_info *
finding_find(const char *code)
{
	for (size_t i = 0; i < finding_table_count; i++) {
		if (strcmp(finding_table[i].code, code) == 0)
			return &finding_table[i];
	}
	return NULL;
}

enum severity
finding_severity(const char *code)
{
	const struct finding_info *info = finding_find(code);

	assert(info != NULL);
	return info->severity;
}

int
finding_section(const char *code)
{
	const struct finding_info *info = finding_find(code);

	assert(info != NULL);
	return (int)strtol(info->rule + 1, NULL, 10);
}

void
finding_list_init(struct finding_list *list, struct arena *arena)
{
	*list = (struct finding_list){.arena = arena};
}

static const char *
copy_escaped(struct arena *arena, const char *text, char *work, size_t size)
{
	str_escape_controls(text, strlen(text), work, size);
	return arena_strdup(arena, work);
}

void
finding_add(struct finding_list *list, const char *code, enum severity severity,
	const char *subject, const char *fix, const char *message, ...)
{
	const struct finding_info *info = finding_find(code);
	char raw[MESSAGE_SIZE];
	char work[MESSAGE_SIZE];
	const char *kept_subject;
	struct finding *f;
	va_list ap;

	assert(info != NULL);
	kept_subject = copy_escaped(list->arena, subject, work, SUBJECT_SIZE);
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].code, code) == 0 &&
			strcmp(list->items[i].subject, kept_subject) == 0)
			return;
	}
	if (list->count == list->size) {
		size_t size = list->size > 0 ? 2 * list->size : 8;
		struct finding *items = arena_calloc(list->arena, size, sizeof(*items));

		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->size = size;
	}
	va_start(ap, message);
	if (vsnprintf(raw, sizeof(raw), message, ap) >= (int)sizeof(raw))
		memcpy(raw + sizeof(raw) - sizeof("..."), "...", sizeof("..."));
	va_end(ap);
	if (fix == NULL)
		fix = info->fix;
	f = &list->items[list->count++];
	*f = (struct finding){0};
	f->code = info->code;
	f->severity = severity;
	f->subject = kept_subject;
	f->message = copy_escaped(list->arena, raw, work, sizeof(work));
	f->fix = fix != NULL ? arena_strdup(list->arena, fix) : NULL;
}

const char *
finding_quote(struct arena *arena, const char *bytes, size_t len)
{
	char out[QUOTE_SIZE];

	str_escape(bytes, len, out, sizeof(out));
	return arena_strdup(arena, out);
}

static int
severity_rank(enum severity severity)
{
	switch (severity) {
	case SEVERITY_FAIL:
		return 0;
	case SEVERITY_TEMP:
		return 1;
	case SEVERITY_WARN:
		return 2;
	case SEVERITY_INFO:
		return 3;
	}
	abort();
}

static bool
comes_before(const struct finding *a, const struct finding *b)
{
	int ra = severity_rank(a->severity);
	int rb = severity_rank(b->severity);

	if (ra != rb)
		return ra < rb;
	return finding_find(a->code) < finding_find(b->code);
}

void
finding_list_sort(struct finding_list *list)
{
	/* Insertion sort: stable, and a list has a few dozen findings. */
	for (size_t i = 1; i < list->count; i++) {
		struct finding f = list->items[i];
		size_t j = i;

		for (; j > 0 && comes_before(&f, &list->items[j - 1]); j--)
			list->items[j] = list->items[j - 1];
		list->items[j] = f;
	}
}

bool
finding_list_has(const struct finding_list *list, const char *code)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].code, code) == 0)
			return true;
	}
	return false;
}

const struct finding *
finding_list_first_fail(const struct finding_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].severity == SEVERITY_FAIL)
			return &list->items[i];
	}
	return NULL;
}

enum verdict
finding_list_verdict(const struct finding_list *list)
{
	enum verdict verdict = VERDICT_PASS;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].severity == SEVERITY_FAIL)
			return VERDICT_FAIL;
		if (list->items[i].severity == SEVERITY_TEMP)
			verdict = VERDICT_UNKNOWN;
	}
	return verdict;
}

const char *
severity_name(enum severity severity)
{
	switch (severity) {
	case SEVERITY_INFO:
		return "info";
	case SEVERITY_WARN:
		return "warn";
	case SEVERITY_FAIL:
		return "fail";
	case SEVERITY_TEMP:
		return "temp";
	}
	abort();
}

const char *
verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_UNKNOWN:
		return "unknown";
	case VERDICT_PASS:
		return "pass";
	case VERDICT_FAIL:
		return "fail";
	}
	abort();
}
