/*
 * address: which IP addresses the verifier connects to.
 *
 * Special addresses (RFC 6890 and the IANA registries it began) are never connected to unless the
 * options allow them, also when they hide in an IPv4-mapped, NAT64, 6to4 or Teredo address (R3.14).
 * The filter is asked about the address really connected to, so a name that changes its address
 * between look-up and connection gains nothing.
 */
#ifndef VERIFIER_ADDRESS_H
#define VERIFIER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/attr.h"

struct error;
struct address_filter;

/* "[2001:db8::1]:65535" without brackets or port: INET6_ADDRSTRLEN. */
#define ADDRESS_TEXT_SIZE INET6_ADDRSTRLEN

/* An IPv4 or IPv6 socket address. */
struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
};

/* From the octets of an A (4) or AAAA (16) record; -1 for any other length. */
int address_from_bytes(
	const uint8_t *bytes, size_t len, uint16_t port, struct address *out) MUST_CHECK;
/* From "192.0.2.1" or "2001:db8::1", nothing around it. */
int address_from_text(const char *text, uint16_t port, struct address *out) MUST_CHECK;
/* -1 for another family than the two. */
int address_from_sockaddr(const struct sockaddr *sa, struct address *out) MUST_CHECK;
/* The address without port. */
void address_format(const struct address *a, char out[static ADDRESS_TEXT_SIZE]);
socklen_t address_len(const struct address *a);
bool address_is_ipv6(const struct address *a);
/* Order by family, octets and port. */
int address_cmp(const struct address *a, const struct address *b);

/* Names the special-purpose block that holds the address or the IPv4 address inside it; NULL for an
 * ordinary one. */
const char *address_special(const struct address *a);

/* allow: "ADDR/BITS" or "ADDR"; anything else is ERROR_CONFIG. */
int address_filter_new(const char *const *allow, size_t count, struct address_filter **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void address_filter_free(struct address_filter *f);
/* Ordinary, or inside a block that is allowed. */
bool address_filter_permits(const struct address_filter *f, const struct address *a);

#endif
