/*
 * lab_ask: questions to the servers of a running lab.
 */
#ifndef LAB_ASK_H
#define LAB_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;

/* One DNS question by UDP to 127.0.0.1: waits at most timeout_ms. 1 answered, 0 not answered in
 * time or refused by the kernel, -1 error. */

/* The text NSD gives as its identity (id.server CH TXT), into out[size]. */
int lab_ask_identity(
	uint16_t port, int timeout_ms, char *out, size_t size, struct error *err) MUST_CHECK;
/* The serial of a zone ("bank.test."). */
int lab_ask_serial(uint16_t port, const char *zone, int timeout_ms, uint32_t *out,
	struct error *err) MUST_CHECK;

/* Sends one request to labd and appends its answer without the closing line. An answer that ends in
 * "error: ..." is an error. */
int lab_ask_labd(
	const char *dir, const char *request, struct buf *answer, struct error *err) MUST_CHECK;

#endif
