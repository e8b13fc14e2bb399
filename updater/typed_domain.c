#include "updater/typed_domain.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "common/error.h"
#include "common/idna.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"

/* Octets that are looked at: four for each of a domain's are enough for any U-label. */
#define TYPED_MAX 1024

static int
refuse(const char *typed, size_t len, const char *why, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "%.*s: %s", len < 80 ? (int)len : 80, typed, why);
}

/* Mapping may drop or make ASCII: what host names never hold is refused before it. */
static bool
ascii_part_is_fit(const char *typed, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)typed[i];

		if (c < 0x80 && !str_is_alnum(c) && c != '-' && c != '.')
			return false;
	}
	return true;
}

/* The A-label form of a name in UTF-8. */
static int
map_labels(const char *typed, size_t len, char out[static TYPED_DOMAIN_SIZE], struct error *err)
{
	char *name = xstrndup(typed, len), *ascii = NULL;
	int code, rc;

	if (!str_is_utf8(typed, len) || !ascii_part_is_fit(typed, len)) {
		rc = refuse(typed, len, "not a domain", err);
	} else {
		rc = idna_to_ascii(name, &ascii, &code);
		if (rc < 0)
			refuse(typed, len, idn2_strerror(code), err);
		else if (rc > 0 || strlen(ascii) >= TYPED_DOMAIN_SIZE)
			rc = refuse(typed, len, "not a domain", err);
		else
			memcpy(out, ascii, strlen(ascii) + 1);
	}
	free(ascii);
	free(name);
	return rc;
}

int
typed_domain(
	const char *typed, size_t len, char out[static TYPED_DOMAIN_SIZE], struct error *err)
{
	bool ascii = true;

	if (len > TYPED_MAX)
		return refuse(typed, len, "not a domain: too long", err);
	for (size_t i = 0; i < len; i++)
		ascii = ascii && (unsigned char)typed[i] < 0x80;
	if (len > 0 && typed[len - 1] == '.')
		len--;
	if (ascii && len >= TYPED_DOMAIN_SIZE)
		return refuse(typed, len, "not a domain: longer than 253 octets", err);
	if (!ascii) {
		if (map_labels(typed, len, out, err) < 0)
			return -1;
	} else {
		memcpy(out, typed, len);
		out[len] = '\0';
	}
	str_lower_all(out);
	if (!list_domain_valid(out, strlen(out)))
		return refuse(typed, len, "not a domain", err);
	return 0;
}
