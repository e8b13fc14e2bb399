/*
 * incoming: the folder in which a run that may only fetch leaves its finds for one that may only install.
 *
 *	STATE-DIR/incoming/.lock                     no source can have that name
 *	STATE-DIR/incoming/NAME/record.json          how it went: fetch_record.h
 *	                       /repository/          what can be verified anew: mirror.h
 *	                       /metadata/, list-*    what the fetching run itself trusts, and works with
 *
 * It belongs to the unprivileged user who fetches, and so it is hostile to everybody else: whoever reads
 * it follows no link in it, waits for nothing, and takes only what has an end.
 */
#ifndef UPDATER_INCOMING_H
#define UPDATER_INCOMING_H

#include "common/attr.h"
#include "updater/fetch.h"

struct confine_user;
struct error;
struct fetch_record;

#define INCOMING_RECORD     "record.json"
#define INCOMING_REPOSITORY "repository"

/* STATE-DIR/incoming, or what of it is one source's (name not NULL). The caller frees it. */
char *incoming_path(const char *state_dir, const char *name) RETURNS_NONNULL;

/* For who fetches: makes the folder where it is missing. Root gives a new one to user, and becomes, for
 * good, whoever it belongs to. */
int incoming_enter(const char *state_dir, const struct confine_user *user, struct error *err) MUST_CHECK;

/* For who installs, as root: makes it, and gives it to user, where it is missing, so that user can fetch. */
int incoming_make(const char *state_dir, const struct confine_user *user, struct error *err) MUST_CHECK;

/* For who reads: one source's folder. */
struct incoming {
	int fd; /* -1: it is not there */
	struct fetch_tree mirror; /* the path is owned; its fd is -1 where there is none */
	char *url;                /* owned; of the mirror */
};

/* To be closed whatever it returns. What is not there is no error. */
int incoming_open(const char *state_dir, const char *name, struct incoming *out, struct error *err) MUST_CHECK;
void incoming_close(struct incoming *in);
/* 1 read; 0 there is none; -1 ERROR_SECURITY: it is none. */
int incoming_record(const struct incoming *in, struct fetch_record *out, struct error *err) MUST_CHECK;

#endif
