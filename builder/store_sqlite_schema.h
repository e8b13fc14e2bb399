/*
 * store_sqlite_schema: the tables of the SQLite store, as the steps that make them.
 *
 * Step i brings a database from schema version i to i + 1 (PRAGMA user_version). A step that was
 * released is never changed: what comes later is another step.
 */
#ifndef BUILDER_STORE_SQLITE_SCHEMA_H
#define BUILDER_STORE_SQLITE_SCHEMA_H

#include <stddef.h>

extern const char *const store_sqlite_steps[];
extern const size_t store_sqlite_step_count;

#endif
