#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/str.h"

#define LOG_LINE_MAX 1024

static struct {
	const char *program; /* borrowed from main() */
	enum log_level minimum;
	bool to_syslog;
} sink = {.program = "preload25", .minimum = LOG_LEVEL_INFO};

void
log_to_stderr(const char *program, enum log_level minimum)
{
	sink.program = program;
	sink.minimum = minimum;
	sink.to_syslog = false;
}

void
log_to_syslog(const char *program, enum log_level minimum)
{
	sink.program = program;
	sink.minimum = minimum;
	sink.to_syslog = true;
	openlog(program, LOG_PID, LOG_MAIL);
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
	if (sink.to_syslog) {
		syslog(priority[level], "%s%s", word[level], line);
	} else {
		/* One write per line, so that lines of several threads never mix. */
		char whole[LOG_LINE_MAX + 64];
		int n = snprintf(whole, sizeof(whole), "%s: %s%s\n", sink.program, word[level], line);

		if (n > 0)
			(void)!write(STDERR_FILENO, whole,
				(size_t)n < sizeof(whole) ? (size_t)n : sizeof(whole) - 1);
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
