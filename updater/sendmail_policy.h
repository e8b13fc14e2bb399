/*
 * sendmail_policy: what Sendmail (FEATURE(sts) and the rules of "setup sendmail") is to be told
 * about one entry of the list. Pure functions.
 */
#ifndef UPDATER_SENDMAIL_POLICY_H
#define UPDATER_SENDMAIL_POLICY_H

#include "updater/choice.h"

struct buf;
struct list_policy;

/* Octets of all names behind "match=": Sendmail compares about 255 of it and its neighbours, and a
 * longer one never matches, so that all mail would wait. */
#define SENDMAIL_MATCH_MAX 240

/* CHOICE_PKIX when the names fit as they are; CHOICE_WIDER when they do once hosts of one parent
 * are written as that parent's wildcard, which no public suffix ever is; else CHOICE_LEFT_LONG. */
enum choice sendmail_fit(const struct list_policy *policy);

/* Appends "secure match=... servername=hostname"; what sendmail_fit() said must be a line. */
void sendmail_add_secure(const struct list_policy *policy, enum choice choice, struct buf *out);

#endif
