/*
 * lab_named: the name servers of a lab, in front of NSD.
 *
 * Whoever asks the lab asks here, by UDP or TCP: at 127.0.0.1, as a forwarder that knows
 * everything, or at the address of the zone's own name server, as one who iterates does. What is
 * asked goes to NSD and its answer back, unless hosts.tsv has a line "dns ADDRESS ZONE SCRIPT" for
 * the zone and the script (lab_dns_script.h) hits the question. Of name servers that are
 * silent, or hang up on TCP, the forwarder tells as resolvers do: by SERVFAIL.
 *
 * It has a thread of its own: answers must not wait until a thousand handshakes are done. The
 * functions below are for one other thread.
 */
#ifndef LAB_NAMED_H
#define LAB_NAMED_H

#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct lab_named;

/* Where NSD is, at the port that the front has at its addresses. */
#define LAB_NSD_ADDRESS   "127.0.0.53"
#define LAB_FRONT_ADDRESS "127.0.0.1"

/* Reads dir/hosts.tsv, listens and answers; port 0: a free one. dir is borrowed. */
int lab_named_open(
	const char *dir, uint16_t port, struct lab_named **out, struct error *err) MUST_CHECK;
/* Reads hosts.tsv again: new scripts, new zones. */
int lab_named_reload(struct lab_named *n, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void lab_named_close(struct lab_named *n);

uint16_t lab_named_port(const struct lab_named *n);

/* Lines "dns ZONE QUESTIONS SINS", divided by tabs, of the zones that have a script. */
void lab_named_stats(struct lab_named *n, FILE *out);
void lab_named_stats_reset(struct lab_named *n);

#endif
