#include "export/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ui.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/key_file.h"

#define TERMINAL "/dev/tty"

struct passphrase {
	char *path; /* owned; NULL: another source */
	int fd;     /* -1: another source */
	bool known;
	char secret[PASSPHRASE_MAX + 1];
};

int
passphrase_new(const char *source, struct passphrase **out, struct error *err)
{
	struct passphrase *p = xcalloc(1, sizeof(*p));
	uint64_t fd;

	*out = NULL;
	p->fd = -1;
	if (source != NULL && str_starts(source, "file:") && source[strlen("file:")] != '\0') {
		p->path = xstrdup(source + strlen("file:"));
	} else if (source != NULL && str_starts(source, "fd:") &&
		str_parse_u64(source + 3, strlen(source + 3), INT_MAX, &fd) == 0) {
		p->fd = (int)fd;
	} else if (source != NULL && strcmp(source, "ask") != 0) {
		passphrase_free(p);
		/* What stands there may be the pass phrase itself: it is not repeated. */
		return error_set(err, ERROR_CONFIG,
			"a pass phrase comes from file:PATH, fd:N or ask; it is not written down "
			"here");
	}
	*out = p;
	return 0;
}

void
passphrase_free(struct passphrase *p)
{
	if (p == NULL)
		return;
	OPENSSL_cleanse(p->secret, sizeof(p->secret));
	free(p->path);
	free(p);
}

/* The first line of what fd gives; subject names it in errors. */
static int
read_line(struct passphrase *p, int fd, const char *subject, struct error *err)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, p->secret + len, sizeof(p->secret) - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_CONFIG, "%s: cannot read", subject);
		len += (size_t)n;
		if (len == sizeof(p->secret))
			return error_set(err, ERROR_CONFIG, "%s: longer than %d octets", subject,
				PASSPHRASE_MAX);
		if (n == 0)
			break;
	}
	if (memchr(p->secret, '\0', len) != NULL)
		return error_set(err, ERROR_CONFIG, "%s: has a NUL in it", subject);
	p->secret[len] = '\0';
	p->secret[strcspn(p->secret, "\r\n")] = '\0';
	if (p->secret[0] == '\0')
		return error_set(err, ERROR_CONFIG, "%s: holds no pass phrase", subject);
	return 0;
}

static int
read_path(struct passphrase *p, struct error *err)
{
	int fd, rc;

	if (key_file_open(p->path, "pass phrase", &fd, err) < 0)
		return -1;
	rc = read_line(p, fd, p->path, err);
	(void)close(fd);
	return rc;
}

static int
read_fd(struct passphrase *p, struct error *err)
{
	char *subject = xasprintf("fd:%d", p->fd);
	int rc = read_line(p, p->fd, subject, err);

	free(subject);
	return rc;
}

/* OpenSSL turns the echo off and on again whatever signal comes. It would fall back to standard
 * input, which is not the terminal of anybody who could answer. */
static int
ask(struct passphrase *p, const char *subject, bool twice, struct error *err)
{
	char *prompt;
	int rc, fd = open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_set(err, ERROR_CONFIG,
			"%s: wants a pass phrase, and there is no terminal to ask for it; name a "
			"file or descriptor (passphrase_from)",
			subject);
	(void)close(fd);
	prompt = xasprintf("Pass phrase for %s: ", subject);
	rc = UI_UTIL_read_pw_string(p->secret, (int)sizeof(p->secret) - 1, prompt, twice);
	free(prompt);
	ERR_clear_error();
	if (rc != 0)
		return error_set(err, ERROR_CONFIG, "%s: no pass phrase was given", subject);
	return 0;
}

static int
get(struct passphrase *p, const char *subject, bool is_new, const char **out, struct error *err)
{
	int rc = 0;

	*out = NULL;
	if (!p->known)
		rc = p->path != NULL ? read_path(p, err)
			: p->fd >= 0 ? read_fd(p, err)
				     : ask(p, subject, is_new, err);
	if (rc < 0) {
		OPENSSL_cleanse(p->secret, sizeof(p->secret));
		return -1;
	}
	p->known = true;
	*out = p->secret;
	return 0;
}

int
passphrase_get(struct passphrase *p, const char *subject, const char **out, struct error *err)
{
	return get(p, subject, false, out, err);
}

bool
passphrase_known(const struct passphrase *p)
{
	return p->known;
}

int
passphrase_get_new(struct passphrase *p, const char *subject, const char **out, struct error *err)
{
	return get(p, subject, true, out, err);
}

int
passphrase_on_prompt(UI *ui, UI_STRING *string)
{
	struct passphrase_asked *a = UI_get0_user_data(ui);
	const char *secret;

	if (UI_get_string_type(string) != UIT_PROMPT)
		return 1;
	if (a == NULL || a->from == NULL) {
		if (a != NULL)
			error_set(&a->err, ERROR_CONFIG, "%s: wants %s", a->subject, a->what);
		return 0;
	}
	if (passphrase_get(a->from, a->subject, &secret, &a->err) < 0)
		return 0;
	return UI_set_result(ui, string, secret) == 0;
}
