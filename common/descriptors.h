/*
 * descriptors: how many files and sockets this process may have open.
 */
#ifndef COMMON_DESCRIPTORS_H
#define COMMON_DESCRIPTORS_H

#include <stdint.h>

/* Raises the limit that is in force to the highest that this process may give itself; for programs
 * that hold many connections, before they begin. Whatever it was keeps what it was when that fails.
 */
void descriptors_raise(void);
/* The limit in force; UINT64_MAX when there is none. */
uint64_t descriptors_limit(void);

#endif
