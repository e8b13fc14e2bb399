/*
 * list_schema: the JSON Schema of list documents, as it is published beside them.
 *
 * The lines of data/schema/list.schema.json without their newlines; a test compares the two.
 */
#ifndef EXPORT_LIST_SCHEMA_H
#define EXPORT_LIST_SCHEMA_H

#include <stddef.h>

extern const char *const list_schema[];
extern const size_t list_schema_lines;

#endif
