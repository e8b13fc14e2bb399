/* OpenSMTPD: the set of domains whose mail goes out by "relay tls". It verifies the certificate of
 * whatever server DNS names; it knows neither MX patterns nor DANE. Domains that name one server can
 * be pinned to it (see pins.h). */
#include "updater/mta.h"

#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "export/list.h"
#include "updater/map_kinds.h"
#include "updater/pins.h"
#include "updater/settings.h"
#include "updater/setup.h"

static void
decide(const struct update_settings *s, const char *before UNUSED,
	const struct resolver_said *said UNUSED, struct recipe *out)
{
	memset(out, 0, sizeof(*out));
	(void)snprintf(out->why_dane, sizeof(out->why_dane), "OpenSMTPD cannot check DANE");
	out->pin = s->pin;
	(void)snprintf(out->text, sizeof(out->text), "opensmtpd set%s dane=no",
		out->pin ? " pin=yes" : "");
}

static enum choice
choose(const struct recipe *r, const struct list_header *header, const struct list_entry *entry,
	int64_t now_s)
{
	enum choice choice = choice_of(header, entry, false, false, now_s);

	if (choice != CHOICE_PKIX)
		return choice;
	return r->pin && pins_host(&entry->policy) != NULL ? CHOICE_PINNED : CHOICE_WIDER;
}

/* What makemap writes for a member of a set, its NUL apart, which the kind of map adds. */
static void
format(const struct recipe *r UNUSED, const struct list_entry *entry UNUSED,
	enum choice choice UNUSED, struct buf *out)
{
	buf_add_str(out, "<set>");
}

static const struct map_kind *const kinds[] = {&map_db_set};

const struct mta mta_opensmtpd = {
	.name = "opensmtpd",
	.title = "OpenSMTPD",
	.kinds = kinds,
	.kind_count = ARRAY_LEN(kinds),
	.path = "/etc/preload25/domains.db",
	.decide = decide,
	.choose = choose,
	.format = format,
	.wider = "by any server that DNS names, if its certificate is valid for itself",
	.logs = mta_syslog_files,
	.setup = setup_opensmtpd,
};
