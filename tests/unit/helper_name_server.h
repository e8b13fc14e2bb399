/*
 * helper_name_server: a name server on loopback (UDP) with the records a test gives it.
 *
 *	static const char *const records[] = {"example.org. 60 IN A 192.0.2.1", NULL};
 *	s = name_server_new(base, records);
 *	options.forward = &s->forward; options.trust_anchor = s->anchor;
 *	name_server_free(s);
 *
 * It answers from the caller's loop, unsigned. The anchor signs "signed.example", of which it has no
 * keys: what it says of names there is bogus, and of all others insecure.
 */
#ifndef TESTS_UNIT_HELPER_NAME_SERVER_H
#define TESTS_UNIT_HELPER_NAME_SERVER_H

#include <stdbool.h>

#include "common/attr.h"

struct event;
struct event_base;

struct name_server {
	const char *const *records; /* in presentation form, the last one NULL; may be changed */
	bool servfail;              /* the answer to everything */
	const char *watched;        /* "name." of which the questions are counted; NULL: of all */
	unsigned int questions;
	/* The rest is the server's. */
	const char *forward; /* "127.0.0.1@PORT" */
	const char *anchor;  /* file */
	char forward_text[64], anchor_path[64];
	int fd;
	struct event *event;
};

struct name_server *name_server_new(
	struct event_base *base, const char *const *records) RETURNS_NONNULL;
void name_server_free(struct name_server *s);

#endif
