/*
 * everywhere: the list in format 0.1 of STARTTLS Everywhere, for tools that know that one.
 *
 * Only entries whose certificates were verified by name and public CA (auth has pkix), which is all
 * that format can say; and of these only entries whose names its schema takes, which leaves out
 * internationalized top-level domains. "*.example" becomes ".example", as it is written there.
 */
#ifndef EXPORT_EVERYWHERE_H
#define EXPORT_EVERYWHERE_H

#include "common/attr.h"

struct error;
struct list_reader;

/* Reads the list to its end and writes path (mode 0644, replaced whole or not at all), one entry
 * per line. The same list gives the same bytes. */
int everywhere_write(struct list_reader *list, const char *path, struct error *err) MUST_CHECK;

#endif
