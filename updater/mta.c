#include "updater/mta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/resolver.h"
#include "updater/settings.h"

static const struct mta *const rows[] = {
	&mta_postfix, &mta_exim, &mta_opensmtpd, &mta_sendmail, &mta_texthash};

const char *const mta_syslog_files[] = {
	"/var/log/mail.log", "/var/log/maillog", "/var/log/mail", NULL};

const struct mta *
mta_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i]->name, name) == 0)
			return rows[i];
	return NULL;
}

const char *
mta_names(void)
{
	return "postfix, exim, opensmtpd, sendmail or texthash";
}

bool
mta_had_dane(const char *before)
{
	return before != NULL && str_ends(before, " dane=yes");
}

bool
mta_decide_dane(const struct update_settings *s, bool before, const struct resolver_said *said,
	char *why, size_t why_size)
{
	if (s->dane != DANE_AUTO) {
		(void)snprintf(why, why_size, "dane = %s", s->dane == DANE_YES ? "yes" : "no");
		return s->dane == DANE_YES;
	}
	switch (resolver_check(said, why, why_size)) {
	case RESOLVER_VALIDATES:
		return true;
	case RESOLVER_DOES_NOT:
		return false;
	case RESOLVER_UNKNOWN:
		/* Protection is not dropped, nor mail held up, over a resolver that is away. */
		return before;
	}
	abort();
}

int
mta_compare(const char *what, const char *key, const char *got, size_t len, const char *want,
	struct error *err)
{
	if (len == strlen(want) && memcmp(got, want, len) == 0)
		return 0;
	return error_set(err, ERROR_CONFIG, "%s says something else for %s than was written: %.60s",
		what, key, len > 0 ? got : "nothing");
}
