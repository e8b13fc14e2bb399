/*
 * idna: names in UTF-8 as DNS has them (RFC 5890 to 5895, UTS 46), by libidn2.
 */
#ifndef COMMON_IDNA_H
#define COMMON_IDNA_H

#include "common/attr.h"

/* The A-label form of a name that ends with a NUL, in *out; the caller frees it. 0; 1 it holds
 * characters that host names do not have, or that map to such; -1 for another reason, *code of
 * libidn2's (idn2_strerror()). Pure. */
int idna_to_ascii(const char *name, char **out, int *code) MUST_CHECK;

#endif
