#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"

static void
set_text(struct error *err, enum error_kind kind, const char *raw)
{
	err->kind = kind;
	str_escape(raw, strlen(raw), err->text, sizeof(err->text));
}

int
error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	char raw[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	set_text(err, kind, raw);
	return -1;
}

static int
errno_is_temporary(int code)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return 1;
	default:
		return 0;
	}
}

int
error_set_errno(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	int code = errno;
	char raw[sizeof(err->text)];
	char reason[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(raw))
		(void)snprintf(raw + n, sizeof(raw) - (size_t)n, ": %s",
			strerror_r(code, reason, sizeof(reason)));
	set_text(err, errno_is_temporary(code) ? ERROR_TEMP : kind, raw);
	return -1;
}

int
error_prefix(struct error *err, const char *fmt, ...)
{
	char raw[sizeof(err->text) * 2];
	char old[sizeof(err->text)];
	va_list ap;
	int n;

	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n < sizeof(raw))
		(void)snprintf(raw + n, sizeof(raw) - (size_t)n, ": %s", old);
	/* Not set_text(): what is already escaped must not be escaped twice. */
	str_escape_controls(raw, strlen(raw), err->text, sizeof(err->text));
	return -1;
}

void
error_clear(struct error *err)
{
	err->kind = ERROR_NONE;
	err->text[0] = '\0';
}

int
error_exit_code(const struct error *err)
{
	switch (err->kind) {
	case ERROR_NONE:
		return 0;
	case ERROR_INPUT:
	case ERROR_CONFIG:
		return 2;
	case ERROR_TEMP:
		return 3;
	case ERROR_SECURITY:
		return 4;
	case ERROR_EXPIRED:
		return 5;
	}
	return 3;
}
