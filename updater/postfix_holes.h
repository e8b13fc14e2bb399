/*
 * postfix_holes: ways around the list in this machine's Postfix that setup does not close itself.
 *
 * They are the administrator's own doing, so they are told, in plain words, and left alone.
 */
#ifndef UPDATER_POSTFIX_HOLES_H
#define UPDATER_POSTFIX_HOLES_H

#include <stdio.h>

#include "common/attr.h"

struct error;
struct update_settings;

/* 1: the list would protect no mail at all, and out was told why: all of it goes to a relay host, by a transport
 * that has other policy maps, or a map of the administrator's own answers for every domain. Such maps are asked
 * for one domain that does not exist. 0: out was told what mail the list would not protect, or hold back for
 * ever, if any. -1 as postfix_ask(). ca_file: the one that main.cf has or is to have. */
int postfix_tell_holes(const struct update_settings *s, const char *ca_file, FILE *out,
	struct error *err) MUST_CHECK;

#endif
