/*
 * mail_recent: what a log has said lately of connections or processes, found again by a key.
 *
 *	r = mail_recent_new(sizeof(struct thing));
 *	thing = mail_recent_get(r, key);       zeroed where the key is new
 *	thing = mail_recent_find(r, key);      NULL: it is not known, or not any more
 *	mail_recent_free(r);
 *
 * Takes constant memory and constant time: of too many, one that was not asked for for long is
 * forgotten. A key is kept as its hash only; where a stranger may choose parts of it, the value has
 * to tell whose it is.
 */
#ifndef UPDATER_MAIL_RECENT_H
#define UPDATER_MAIL_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/mail_text.h"

struct mail_recent;

/* value_size: a multiple of what its members are aligned to, as sizeof is. */
struct mail_recent *mail_recent_new(size_t value_size) RETURNS_NONNULL;
/* NULL is allowed. */
void mail_recent_free(struct mail_recent *r);

/* Lent until the next call of mail_recent_get(). */
void *mail_recent_get(struct mail_recent *r, struct span key) RETURNS_NONNULL;
void *mail_recent_find(struct mail_recent *r, struct span key);

#endif
