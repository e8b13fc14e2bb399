/*
 * lab_dns_script: how the name server of a zone misbehaves, as words.
 *
 * "TARGET:SIN", several joined by commas: "tlsa:drop,mx:servfail". The target says which questions
 * are hit, the sin what becomes of them; what nothing hits is answered well. "ok" hits nothing.
 */
#ifndef LAB_DNS_SCRIPT_H
#define LAB_DNS_SCRIPT_H

#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"

struct error;

enum lab_dns_sin {
	LAB_DNS_SERVE, /* none: NSD's answer */
	LAB_DNS_DROP,
	LAB_DNS_REFUSED,
	LAB_DNS_NOTIMP,
	LAB_DNS_SERVFAIL,
	LAB_DNS_FORMERR,
	LAB_DNS_TRUNCATE, /* cut short by UDP, and TCP is closed without an answer */
	LAB_DNS_OTHER,    /* an answer to another question */
	LAB_DNS_SLOW,     /* the right answer, when nobody waits for it any more */
	LAB_DNS_DENY,     /* NXDOMAIN without SOA and proof */
	LAB_DNS_REBIND,   /* A: the first answer for a name is right, the others LAB_DNS_REBOUND */
};

/* Loopback, but outside of the blocks that a test for rebinding allows. */
#define LAB_DNS_REBOUND "127.200.0.1"

enum { LAB_DNS_RULES_MAX = 8 };

struct lab_dns_script {
	struct {
		size_t target; /* in lab_dns_script.c's table */
		enum lab_dns_sin sin;
	} rules[LAB_DNS_RULES_MAX];
	size_t count;
};

/* Unknown words are ERROR_INPUT. */
int lab_dns_script_parse(
	const char *words, struct lab_dns_script *out, struct error *err) MUST_CHECK;

/* name: lower case, without the last dot; type: the number. */
enum lab_dns_sin lab_dns_script_match(const struct lab_dns_script *s, const char *name, int type);

/* Prints the tables for people: word, tab, what it does. */
void lab_dns_script_list(FILE *out);

#endif
