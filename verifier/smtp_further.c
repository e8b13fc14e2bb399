#include "verifier/smtp_further.h"

#include <string.h>

#include <openssl/ssl.h>

#include "common/arena.h"

static bool
ended_with(const struct smtp_usual *usual, const char *code)
{
	return usual->code != NULL && strcmp(usual->code, code) == 0;
}

/* Whether the session is of use at all after the usual one. */
static bool
is_wanted(enum smtp_ask ask, const struct smtp_further *o, const struct smtp_usual *usual)
{
	bool passed = usual->starttls == VERDICT_PASS;

	switch (ask) {
	case SMTP_ASK_OLD_VERSIONS:
		return (passed && o->look) || ended_with(usual, "tls-version-too-old");
	case SMTP_ASK_NO_NAME:
		return passed && o->look;
	case SMTP_ASK_BROKEN_CIPHERS:
		return ended_with(usual, "tls-handshake-failed") &&
			(usual->alert == SSL_AD_HANDSHAKE_FAILURE ||
				usual->alert == SSL_AD_INSUFFICIENT_SECURITY);
	case SMTP_ASK_INJECTION:
		return passed && o->injection;
	case SMTP_ASK_USUAL:
	case SMTP_ASKS:
		break;
	}
	return false;
}

enum smtp_ask
smtp_further_next(
	const struct smtp_further *options, const struct smtp_usual *usual, unsigned int asked)
{
	for (int ask = SMTP_ASK_USUAL + 1; ask < SMTP_ASKS; ask++) {
		if ((asked & 1U << ask) == 0 && is_wanted((enum smtp_ask)ask, options, usual))
			return (enum smtp_ask)ask;
	}
	return SMTP_ASK_USUAL;
}

/* The finding that ended the usual session, told better. */
static void
rename_fault(struct smtp_usual *usual, const char *code, const char *message)
{
	const struct finding_info *info = finding_find(code);

	for (size_t i = 0; i < usual->findings->count; i++) {
		struct finding *f = &usual->findings->items[i];

		if (strcmp(f->code, usual->code) != 0)
			continue;
		f->code = info->code;
		f->severity = info->severity;
		f->fix = info->fix;
		f->message = message;
	}
	usual->code = info->code;
}

static void
take_old_versions(const struct smtp_probe_result *got, struct smtp_usual *usual)
{
	if (got->tls_version == 0)
		return;
	if (usual->starttls == VERDICT_PASS) {
		finding_add_usual(usual->findings, "tls-version-old-enabled", usual->subject, NULL,
			"the server also accepts TLS 1.%d", got->tls_version - 10);
	} else {
		rename_fault(usual, "tls-version-too-old",
			arena_printf(usual->findings->arena,
				"the server speaks TLS 1.%d and nothing newer",
				got->tls_version - 10));
	}
}

void
smtp_further_take(enum smtp_ask ask, const struct smtp_probe_result *got, struct smtp_usual *usual)
{
	switch (ask) {
	case SMTP_ASK_OLD_VERSIONS:
		take_old_versions(got, usual);
		break;
	case SMTP_ASK_NO_NAME:
		if (got->tls_version == 0 && got->alert >= 0) {
			finding_add_usual(usual->findings, "tls-sni-required", usual->subject, NULL,
				"without a server name the server answers with the alert \"%s\"",
				SSL_alert_desc_string_long(got->alert));
		}
		break;
	case SMTP_ASK_BROKEN_CIPHERS:
		if (got->tls_version > 0) {
			rename_fault(usual, "tls-cipher-broken",
				arena_printf(usual->findings->arena,
					"the server accepts %s, and nothing that is safe",
					got->cipher));
		}
		break;
	case SMTP_ASK_INJECTION:
		if (got->injected) {
			finding_add_usual(usual->findings, "starttls-command-injection",
				usual->subject, NULL,
				"a NOOP sent in clear behind STARTTLS was answered inside TLS");
		}
		break;
	case SMTP_ASK_USUAL:
	case SMTP_ASKS:
		break;
	}
}
