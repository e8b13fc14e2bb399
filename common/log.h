/*
 * log: messages for the journal, one line each.
 *
 * Set up once by main(); afterwards any thread may log. Severities have one meaning each: debug for
 * the developer, info for the journal, warning look when convenient, error this task failed. A
 * message starts with its subject, quotes foreign bytes escaped, and appears once.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

#include "common/attr.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* Octets of a message with the NUL behind it; a longer one is cut. */
#define LOG_LINE_MAX 1024

/* Where messages go: "program: text" lines on standard error (default), or syslog, facility mail.
 * program is borrowed for the life of the process. Messages below minimum are dropped. Where
 * standard error is systemd's journal, which knows the program itself, lines are "<N>text" with
 * their syslog priority. The connection to syslog is made at once: a process that gives up the file
 * system afterwards can still log. */
void log_to_stderr(const char *program, enum log_level minimum);
void log_to_syslog(const char *program, enum log_level minimum);
/* Or to a function, as lines without the program and the newline: for a process whose parent logs. */
typedef void log_sink(void *arg, enum log_level level, const char *line);
void log_to_function(log_sink *function, void *arg, enum log_level minimum);
/* The minimum that was set. */
enum log_level log_minimum(void);

/* Whether standard error goes to systemd's journal. */
bool log_stderr_is_journal(void);

void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* For a message whose level somebody else has chosen. */
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
