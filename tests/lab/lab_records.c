#include "tests/lab/lab_records.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <openssl/bio.h>

#include "common/attr.h"
#include "common/xalloc.h"

enum {
	HEADER_LEN = 5, /* content type, version, length */
	FRAGMENT_MIN = 512,
	QUEUE_CHUNK = 4096,
};

struct cutter {
	struct evbuffer *queue; /* what is to go out */
	uint8_t header[HEADER_LEN];
	size_t header_len;
	size_t body_left; /* of the record whose header is complete */
	bool whole;       /* the rest is encrypted: passed on as it is */
};

static void
cut(struct cutter *c, const uint8_t *data, size_t len)
{
	static const uint8_t length_1[2] = {0, 1};

	for (size_t i = 0; i < len; i++) {
		if (c->body_left > 0) {
			if (!c->whole) {
				evbuffer_add(c->queue, c->header, HEADER_LEN - sizeof(length_1));
				evbuffer_add(c->queue, length_1, sizeof(length_1));
			}
			evbuffer_add(c->queue, data + i, 1);
			c->body_left--;
			continue;
		}
		c->header[c->header_len++] = data[i];
		if (c->header_len < HEADER_LEN)
			continue;
		c->header_len = 0;
		c->body_left = (size_t)c->header[3] << 8 | c->header[4];
		/* Behind change_cipher_spec records are encrypted, of whatever type. */
		if (c->header[0] != SSL3_RT_HANDSHAKE)
			c->whole = true;
		if (c->whole)
			evbuffer_add(c->queue, c->header, HEADER_LEN);
	}
}

/* 1 nothing is left, else what BIO_write() said, with its reasons to retry in b. */
static int
drain(BIO *b, struct cutter *c)
{
	uint8_t chunk[QUEUE_CHUNK];
	ev_ssize_t n;

	BIO_clear_retry_flags(b);
	while ((n = evbuffer_copyout(c->queue, chunk, sizeof(chunk))) > 0) {
		int rc = BIO_write(BIO_next(b), chunk, (int)n);

		if (rc <= 0) {
			BIO_copy_next_retry(b);
			return rc;
		}
		evbuffer_drain(c->queue, (size_t)rc);
	}
	return 1;
}

static int
cutter_write(BIO *b, const char *data, int len)
{
	struct cutter *c = BIO_get_data(b);
	int rc = drain(b, c);

	if (rc <= 0)
		return rc;
	cut(c, (const uint8_t *)data, (size_t)len);
	/* What does not go out now is taken nevertheless: the flush that ends each flight waits. */
	if (drain(b, c) <= 0 && !BIO_should_retry(b))
		return -1;
	BIO_clear_retry_flags(b);
	return len;
}

static long
cutter_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	if (cmd == BIO_CTRL_FLUSH) {
		int rc = drain(b, BIO_get_data(b));

		if (rc <= 0)
			return rc;
	}
	return BIO_ctrl(BIO_next(b), cmd, num, ptr);
}

static int
cutter_create(BIO *b)
{
	struct cutter *c = xcalloc(1, sizeof(*c));

	c->queue = evbuffer_new();
	if (c->queue == NULL)
		abort();
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	return 1;
}

static int
cutter_destroy(BIO *b)
{
	struct cutter *c = BIO_get_data(b);

	evbuffer_free(c->queue);
	free(c);
	return 1;
}

static BIO_METHOD *
cutter_method(void)
{
	static BIO_METHOD *method; /* one for the process, like OpenSSL's own */

	if (method == NULL) {
		method = BIO_meth_new(
			BIO_get_new_index() | BIO_TYPE_FILTER, "TLS records of one octet");
		if (method == NULL || !BIO_meth_set_write(method, cutter_write) ||
			!BIO_meth_set_ctrl(method, cutter_ctrl) ||
			!BIO_meth_set_create(method, cutter_create) ||
			!BIO_meth_set_destroy(method, cutter_destroy))
			abort();
	}
	return method;
}

void
lab_records_single(SSL *ssl, evutil_socket_t fd)
{
	BIO *socket_bio = BIO_new_socket(fd, BIO_NOCLOSE), *cutter = BIO_new(cutter_method());

	if (socket_bio == NULL || cutter == NULL || !BIO_up_ref(socket_bio) ||
		SSL_set_max_send_fragment(ssl, FRAGMENT_MIN) != 1)
		abort();
	SSL_set_bio(ssl, socket_bio, BIO_push(cutter, socket_bio));
}
