/*
 * typed_domain: a domain as an administrator types it, turned into the form that lists use.
 */
#ifndef UPDATER_TYPED_DOMAIN_H
#define UPDATER_TYPED_DOMAIN_H

#include <stddef.h>

#include "common/attr.h"

struct error;

#define TYPED_DOMAIN_SIZE 254

/* Lower-case A-labels without root dot (list_domain_valid) of len octets in any case, with or without
 * root dot; U-labels are taken in UTF-8 and mapped as RFC 5895 and UTS 46 have it. What is no domain is
 * ERROR_CONFIG: "TYPED: why". Pure. */
int typed_domain(const char *typed, size_t len, char out[static TYPED_DOMAIN_SIZE],
	struct error *err) MUST_CHECK;

#endif
