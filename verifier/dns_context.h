/*
 * dns_context: one libunbound context, set up as the options say.
 *
 * A resolver has one for its look-ups, and makes two small ones when servers fail it (R2.8): broken
 * servers and the boxes in front of them often answer over TCP, or when the whole name is asked
 * for.
 */
#ifndef VERIFIER_DNS_CONTEXT_H
#define VERIFIER_DNS_CONTEXT_H

#include <stddef.h>

#include "common/attr.h"

struct dns_options;
struct error;
struct event_base;
struct ub_ctx;

enum dns_way {
	DNS_WAY_USUAL,       /* UDP, TCP when cut short; minimised names */
	DNS_WAY_TCP,         /* TCP from the first packet on */
	DNS_WAY_WHOLE_NAMES, /* no minimisation of query names */
	DNS_WAYS,
};

/* base is borrowed; the options are not kept. The caller deletes the context by ub_ctx_delete(). */
int dns_context_new(const struct dns_options *options, enum dns_way way, struct event_base *base,
	struct ub_ctx **out, struct error *err) MUST_CHECK;

/* File descriptors that all contexts of one resolver together may come to hold. */
size_t dns_context_descriptors(const struct dns_options *options);

#endif
