/*
 * lab_hosts: hosts.tsv, the list of servers of a lab.
 *
 * One line per address and name: service (smtp, https or dns), address, name, behaviour. A host
 * with two addresses has two lines; an address with several names serves the one asked for by SNI,
 * and the first of them to those who do not ask. "*.NAME" stands for any name below. With dns the
 * name is that of a zone and the behaviour a script of its name server (lab_dns_script.h).
 *
 * IPv6 has one loopback address, and nobody can add others without being root. So hosts with IPv6
 * live at IPv4-mapped addresses (::ffff:127.1.2.3), which only look like IPv6 to who connects, and
 * one at ::1.
 */
#ifndef LAB_HOSTS_H
#define LAB_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "verifier/address.h"

struct error;

enum lab_service { LAB_SMTP, LAB_HTTPS, LAB_DNS };

struct lab_host {
	enum lab_service service;
	struct address address; /* port 0 */
	char *name;             /* owned */
	char *behaviour;        /* owned */
};

struct lab_hosts {
	struct lab_host *list; /* owned */
	size_t count, size;
};

void lab_hosts_add(struct lab_hosts *h, enum lab_service service, const struct address *address,
	const char *name, const char *behaviour);
int lab_hosts_load(const char *dir, struct lab_hosts *out, struct error *err) MUST_CHECK;
int lab_hosts_save(const char *dir, const struct lab_hosts *h, struct error *err) MUST_CHECK;
void lab_hosts_clear(struct lab_hosts *h);

/* Sets the behaviour of all lines of which name is the name, or the address: those of servers, or
 * those of zones. Returns how many. */
size_t lab_hosts_set(struct lab_hosts *h, const char *name, const char *behaviour, bool zones);

const char *lab_service_name(enum lab_service s) RETURNS_NONNULL;

#endif
