#include "export/key_scan.h"

#include <string.h>

#include "common/str.h"

/* "-----BEGIN [KIND ]PRIVATE KEY-----", where no kind is longer than this. */
#define PEM_BEGIN "-----BEGIN "
#define PEM_END   "PRIVATE KEY-----"
#define KIND_MAX  24
_Static_assert(sizeof(PEM_BEGIN) + KIND_MAX + sizeof(PEM_END) <= KEY_SCAN_TAIL, "a label fits");

/* PKCS #8 of Ed25519 (RFC 8410, section 7) up to the 32 octets of the key. */
static const char der_begin[] = "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

static bool
has_pem(const char *data, size_t len)
{
	const char *end = data + len, *p = data;

	while ((p = memmem(p, (size_t)(end - p), PEM_BEGIN, strlen(PEM_BEGIN))) != NULL) {
		const char *kind = p += strlen(PEM_BEGIN);

		while (p < end && p - kind <= KIND_MAX &&
			(str_is_alnum((unsigned char)*p) || *p == ' ')) {
			if ((size_t)(end - p) >= strlen(PEM_END) &&
				memcmp(p, PEM_END, strlen(PEM_END)) == 0)
				return true;
			p++;
		}
	}
	return false;
}

static bool
has_key(const char *data, size_t len)
{
	return has_pem(data, len) || memmem(data, len, der_begin, sizeof(der_begin) - 1) != NULL;
}

void
key_scan_add(struct key_scan *s, const void *data, size_t len)
{
	char seam[2 * KEY_SCAN_TAIL];
	size_t head = len < KEY_SCAN_TAIL ? len : KEY_SCAN_TAIL, keep;

	if (s->found || len == 0)
		return;
	memcpy(seam, s->tail, s->len);
	memcpy(seam + s->len, data, head);
	s->found = has_key(seam, s->len + head) || has_key(data, len);
	/* The last octets of all that has passed. */
	if (len >= KEY_SCAN_TAIL) {
		memcpy(s->tail, (const char *)data + len - KEY_SCAN_TAIL, KEY_SCAN_TAIL);
		s->len = KEY_SCAN_TAIL;
	} else {
		keep = s->len + len < KEY_SCAN_TAIL ? s->len : KEY_SCAN_TAIL - len;
		memmove(s->tail, s->tail + s->len - keep, keep);
		memcpy(s->tail + keep, data, len);
		s->len = keep + len;
	}
}
