/*
 * key_scan: whether a private key stands in octets that pass by, in any form that the programs of
 * an authority write: PEM of every kind, and Ed25519 in DER.
 */
#ifndef EXPORT_KEY_SCAN_H
#define EXPORT_KEY_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Of what has passed, enough to see a key that two pieces share. Zeroed memory has seen nothing. */
#define KEY_SCAN_TAIL 64
struct key_scan {
	char tail[KEY_SCAN_TAIL];
	size_t len;
	bool found;
};

/* The next piece. */
void key_scan_add(struct key_scan *s, const void *data, size_t len);

#endif
