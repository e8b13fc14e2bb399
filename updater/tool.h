/*
 * tool: runs a program of the mail server's, without a shell, and keeps what it says.
 */
#ifndef UPDATER_TOOL_H
#define UPDATER_TOOL_H

#include "common/attr.h"
#include "common/buf.h"

struct error;

/* Octets of output that are kept of each stream; more is an error. */
#define TOOL_OUTPUT_MAX ((size_t)1024 * 1024)
/* None of the tools that are run takes longer than some seconds. */
#define TOOL_TIMEOUT_MS 60000

struct tool_result {
	int status;     /* exit code, or 128 + signal */
	struct buf out; /* what it wrote to standard output ... */
	struct buf err; /* ... and to standard error */
};

/* The file to run: configured, when that is not NULL (returned as it is); else name as found in
 * PATH or in one of the folders for administrators, which cron's PATH lacks. NULL: not there. The
 * caller frees it. */
char *tool_find(const char *configured, const char *name);

/* Runs argv (ended by NULL; argv[0] is the file) with nothing to read, and waits for its end. That
 * it could not be run (ERROR_CONFIG), was too slow or too talkative (ERROR_TEMP) is an error; its
 * exit code is not. result must be cleared in either case. */
int tool_run(const char *const *argv, int timeout_ms, struct tool_result *result,
	struct error *err) MUST_CHECK;
/* The same where only exit code 0 will do: another one is ERROR_CONFIG with its complaint. */
int tool_run_well(
	const char *const *argv, struct tool_result *result, struct error *err) MUST_CHECK;
/* Takes what a program writes as it comes; -1 with err set ends the program. */
typedef int tool_sink(void *arg, const void *data, size_t len, struct error *err);
/* As tool_run(), but standard output goes to the sink, however long it is, and result->out stays empty. */
int tool_stream(const char *const *argv, int timeout_ms, tool_sink *sink, void *arg,
	struct tool_result *result, struct error *err) MUST_CHECK;
void tool_result_clear(struct tool_result *result);

/* The last line of what it wrote to standard error (Postfix's tools warn first, and then say why
 * they end), or "exit code N": for messages. The caller frees it. */
char *tool_complaint(const struct tool_result *result) RETURNS_NONNULL;

#endif
