/*
 * terminal: what the commands of preload25 share in speaking to people.
 */
#ifndef BUILDER_TERMINAL_H
#define BUILDER_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;

/* A terminal, and NO_COLOR is not set. */
bool terminal_colour(FILE *f);
/* Columns; 80 when it is no terminal. */
int terminal_width(FILE *f);

/* "2026-11-23 12:00:00 UTC"; "never" for 0. */
#define TERMINAL_TIME_SIZE 32
void terminal_time(int64_t time_s, char out[static TERMINAL_TIME_SIZE]);
/* "3 d 4 h", "5 min 2 s": the two largest units. */
#define TERMINAL_SPAN_SIZE 64
void terminal_span(int64_t span_s, char out[static TERMINAL_SPAN_SIZE]);

/* The word for so many: terminal_noun(n, "domain", "domains"). */
const char *terminal_noun(int64_t n, const char *one, const char *many);

/* A domain as typed, to A-labels: what is no domain is ERROR_INPUT with its reason. The caller
 * frees *out. */
int terminal_domain(
	const char *typed, bool allow_special_use, char **out, struct error *err) MUST_CHECK;

#endif
