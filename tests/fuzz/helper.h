/*
 * helper: what several fuzz targets need.
 */
#ifndef TESTS_FUZZ_HELPER_H
#define TESTS_FUZZ_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct finding_list;

/* What libFuzzer and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The octets as a file in memory, for code that reads by name. The name is lent until the next
 * call, which makes a file of other contents of it. */
const char *helper_file(const void *data, size_t size);
/* The descriptor of the same. */
int helper_file_fd(void);

/* One line for people: UTF-8 without control characters. */
bool helper_is_shown(const char *text);
/* The same, but DEL is allowed: JSON does not escape it. */
bool helper_is_json_line(const char *text);
/* Asserts what is true of every finding: a code of the table, subject and message fit to show. */
void helper_check_findings(const struct finding_list *findings);
/* Asserts that a failed call said why, as one of these kinds (bits 1 << ERROR_...). */
void helper_check_error(const struct error *err, unsigned kinds);

#endif
