#include "common/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/str.h"

static struct {
	const char *program; /* borrowed from main() */
	enum log_level minimum;
	enum { TO_STDERR, TO_JOURNAL, TO_SYSLOG, TO_FUNCTION } where;
	log_sink *function;
	void *arg;
} sink = {.program = "preload25", .minimum = LOG_LEVEL_INFO};

void
log_to_stderr(const char *program, enum log_level minimum)
{
	sink.program = program;
	sink.minimum = minimum;
	sink.where = log_stderr_is_journal() ? TO_JOURNAL : TO_STDERR;
}

void
log_to_syslog(const char *program, enum log_level minimum)
{
	sink.program = program;
	sink.minimum = minimum;
	sink.where = TO_SYSLOG;
	openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* JOURNAL_STREAM is the device and the inode of the journal's socket (systemd.exec(5)): it is handed
 * on to programs whose standard error has been sent elsewhere in between. */
bool
log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char want[48];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, want) == 0;
}

/* One write per line, so that lines of several threads never mix. */
static void write_line(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void
write_line(const char *fmt, ...)
{
	char whole[LOG_LINE_MAX + 64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(whole, sizeof(whole), fmt, ap);
	va_end(ap);
	if (n > 0)
		(void)!write(STDERR_FILENO, whole,
			(size_t)n < sizeof(whole) ? (size_t)n : sizeof(whole) - 1);
}

void
log_to_function(log_sink *function, void *arg, enum log_level minimum)
{
	sink.where = TO_FUNCTION;
	sink.function = function;
	sink.arg = arg;
	sink.minimum = minimum;
}

enum log_level
log_minimum(void)
{
	return sink.minimum;
}

static void emit(enum log_level level, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void
emit(enum log_level level, const char *fmt, va_list ap)
{
	static const int priority[] = {
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_ERROR] = LOG_ERR,
	};
	static const char *const word[] = {
		[LOG_LEVEL_DEBUG] = "debug: ",
		[LOG_LEVEL_INFO] = "",
		[LOG_LEVEL_WARNING] = "warning: ",
		[LOG_LEVEL_ERROR] = "",
	};
	char raw[LOG_LINE_MAX];
	char line[LOG_LINE_MAX];

	if (level < sink.minimum)
		return;
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	str_escape_controls(raw, strlen(raw), line, sizeof(line));
	switch (sink.where) {
	case TO_FUNCTION:
		sink.function(sink.arg, level, line);
		break;
	case TO_STDERR:
		write_line("%s: %s%s\n", sink.program, word[level], line);
		break;
	case TO_JOURNAL:
		write_line("<%d>%s%s\n", priority[level], word[level], line);
		break;
	case TO_SYSLOG:
		syslog(priority[level], "%s%s", word[level], line);
		break;
	}
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		emit(level, fmt, ap);                                                              \
		va_end(ap);                                                                        \
	}

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}
