#include "verifier/address.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

/* A block of addresses; IPv4 is kept in its IPv4-mapped form, so that there is one comparison. */
struct block {
	uint8_t bytes[16];
	unsigned int bits;
	bool ipv6; /* as it was written: an IPv4-mapped block is one, an IPv4 block is not */
};

struct address_filter {
	struct block *allow;
	size_t count;
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* IANA IPv4 Special-Purpose Address Registry, and multicast. 192.0.0.9 and .10 are globally
 * reachable anycast services, none of which receives mail. */
static const struct {
	uint8_t bytes[4];
	unsigned int bits;
	const char *name;
} special4[] = {
	{{0, 0, 0, 0}, 8, "this network"},
	{{10, 0, 0, 0}, 8, "private use"},
	{{100, 64, 0, 0}, 10, "shared address space"},
	{{127, 0, 0, 0}, 8, "loopback"},
	{{169, 254, 0, 0}, 16, "link-local"},
	{{172, 16, 0, 0}, 12, "private use"},
	{{192, 0, 0, 0}, 24, "IETF protocol assignments"},
	{{192, 0, 2, 0}, 24, "documentation"},
	{{192, 31, 196, 0}, 24, "AS112"},
	{{192, 52, 193, 0}, 24, "AMT"},
	{{192, 88, 99, 0}, 24, "6to4 relay anycast"},
	{{192, 168, 0, 0}, 16, "private use"},
	{{192, 175, 48, 0}, 24, "AS112"},
	{{198, 18, 0, 0}, 15, "benchmarking"},
	{{198, 51, 100, 0}, 24, "documentation"},
	{{203, 0, 113, 0}, 24, "documentation"},
	{{224, 0, 0, 0}, 4, "multicast"},
	{{240, 0, 0, 0}, 4, "reserved"},
};

/* Everything outside 2000::/3 is special; these are the special parts inside. */
static const struct {
	uint8_t bytes[16];
	unsigned int bits;
	const char *name;
} special6[] = {
	{{0x20, 0x01, 0x00, 0x00}, 23, "IETF protocol assignments"}, /* Teredo, ORCHID, ... */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, "AS112"},
	{{0x3f, 0xff, 0x00, 0x00}, 20, "documentation"},
	{{0x3f, 0xfe, 0x00, 0x00}, 16, "6bone, returned"},
};

/* IPv6 forms with an IPv4 address inside: judged by it (RFC 6052, RFC 3056, RFC 4291). */
static const struct {
	uint8_t bytes[16];
	unsigned int bits;
	size_t at; /* where the IPv4 address stands */
} embedded[] = {
	{{[10] = 0xff, [11] = 0xff}, 96, 12},           /* ::ffff:0:0/96 IPv4-mapped */
	{{0x00, 0x64, 0xff, 0x9b}, 96, 12},             /* 64:ff9b::/96 NAT64 */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, 12}, /* 64:ff9b:1::/48 local-use NAT64 */
	{{0x20, 0x02}, 16, 2},                          /* 2002::/16 6to4 */
};

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static const char *
special_ipv4(const uint8_t bytes[static 4])
{
	for (size_t i = 0; i < ARRAY_LEN(special4); i++) {
		if (bits_equal(bytes, special4[i].bytes, special4[i].bits))
			return special4[i].name;
	}
	return NULL;
}

static const char *
special_ipv6(const uint8_t bytes[static 16])
{
	static const uint8_t zero[16];
	static const uint8_t global[16] = {0x20};

	for (size_t i = 0; i < ARRAY_LEN(embedded); i++) {
		if (bits_equal(bytes, embedded[i].bytes, embedded[i].bits)) {
			const char *name = special_ipv4(bytes + embedded[i].at);

			/* Mapped addresses never come from honest DNS: what follows them decides
			 * for itself which network they mean. 64:ff9b:1::/48 is local by
			 * definition. */
			if (name == NULL && i == 0)
				name = "IPv4-mapped";
			if (name == NULL && i == 2)
				name = "local-use NAT64";
			return name;
		}
	}
	if (memcmp(bytes, zero, 15) == 0)
		return bytes[15] == 1 ? "loopback" : "unspecified";
	if (bytes[0] == 0xff)
		return "multicast";
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return "link-local";
	if ((bytes[0] & 0xfe) == 0xfc)
		return "unique local";
	if (!bits_equal(bytes, global, 3))
		return "outside the global unicast space";
	for (size_t i = 0; i < ARRAY_LEN(special6); i++) {
		if (bits_equal(bytes, special6[i].bytes, special6[i].bits))
			return special6[i].name;
	}
	return NULL;
}

int
address_from_bytes(const uint8_t *bytes, size_t len, uint16_t port, struct address *out)
{
	memset(out, 0, sizeof(*out));
	if (len == 4) {
		out->u.in.sin_family = AF_INET;
		out->u.in.sin_port = htons(port);
		memcpy(&out->u.in.sin_addr, bytes, 4);
		return 0;
	}
	if (len == 16) {
		out->u.in6.sin6_family = AF_INET6;
		out->u.in6.sin6_port = htons(port);
		memcpy(&out->u.in6.sin6_addr, bytes, 16);
		return 0;
	}
	return -1;
}

int
address_from_text(const char *text, uint16_t port, struct address *out)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return address_from_bytes(bytes, 4, port, out);
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return address_from_bytes(bytes, 16, port, out);
	return -1;
}

int
address_from_sockaddr(const struct sockaddr *sa, struct address *out)
{
	memset(out, 0, sizeof(*out));
	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&out->u.in, sa, sizeof(out->u.in));
		return 0;
	case AF_INET6:
		memcpy(&out->u.in6, sa, sizeof(out->u.in6));
		return 0;
	default:
		return -1;
	}
}

void
address_format(const struct address *a, char out[static ADDRESS_TEXT_SIZE])
{
	const void *bytes = address_is_ipv6(a) ? (const void *)&a->u.in6.sin6_addr
					       : (const void *)&a->u.in.sin_addr;

	if (inet_ntop(a->u.sa.sa_family, bytes, out, ADDRESS_TEXT_SIZE) == NULL)
		abort(); /* a struct address is one of the two families */
}

socklen_t
address_len(const struct address *a)
{
	return address_is_ipv6(a) ? sizeof(a->u.in6) : sizeof(a->u.in);
}

bool
address_is_ipv6(const struct address *a)
{
	return a->u.sa.sa_family == AF_INET6;
}

int
address_cmp(const struct address *a, const struct address *b)
{
	int rc;

	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return a->u.sa.sa_family < b->u.sa.sa_family ? -1 : 1;
	if (address_is_ipv6(a)) {
		rc = memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16);
		return rc != 0 ? rc : memcmp(&a->u.in6.sin6_port, &b->u.in6.sin6_port, 2);
	}
	rc = memcmp(&a->u.in.sin_addr, &b->u.in.sin_addr, 4);
	return rc != 0 ? rc : memcmp(&a->u.in.sin_port, &b->u.in.sin_port, 2);
}

const char *
address_special(const struct address *a)
{
	if (address_is_ipv6(a))
		return special_ipv6(a->u.in6.sin6_addr.s6_addr);
	return special_ipv4((const uint8_t *)&a->u.in.sin_addr);
}

static void
bytes_of(const struct address *a, uint8_t out[static 16])
{
	if (address_is_ipv6(a)) {
		memcpy(out, &a->u.in6.sin6_addr, 16);
		return;
	}
	memcpy(out, mapped_prefix, 12);
	memcpy(out + 12, &a->u.in.sin_addr, 4);
}

static int
block_parse(const char *text, struct block *out, struct error *err)
{
	char host[ADDRESS_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	struct address a;
	unsigned int most;
	uint64_t bits;

	if (len >= sizeof(host))
		return error_set(err, ERROR_CONFIG, "\"%s\" is not ADDRESS/BITS", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (address_from_text(host, 0, &a) < 0)
		return error_set(err, ERROR_CONFIG, "\"%s\" is not ADDRESS/BITS", text);
	most = address_is_ipv6(&a) ? 128 : 32;
	bits = most;
	if (slash != NULL && str_parse_u64(slash + 1, strlen(slash + 1), most, &bits) < 0) {
		return error_set(
			err, ERROR_CONFIG, "\"%s\": the prefix length is 0 to %u", text, most);
	}
	bytes_of(&a, out->bytes);
	out->bits = (unsigned int)bits + 128 - most;
	out->ipv6 = address_is_ipv6(&a);
	return 0;
}

int
address_filter_new(
	const char *const *allow, size_t count, struct address_filter **out, struct error *err)
{
	struct address_filter *f = xcalloc(1, sizeof(*f));

	*out = NULL;
	f->allow = xcalloc(count + 1, sizeof(*f->allow));
	f->count = count;
	for (size_t i = 0; i < count; i++) {
		if (block_parse(allow[i], &f->allow[i], err) < 0) {
			address_filter_free(f);
			return -1;
		}
	}
	*out = f;
	return 0;
}

void
address_filter_free(struct address_filter *f)
{
	if (f == NULL)
		return;
	free(f->allow);
	free(f);
}

bool
address_filter_permits(const struct address_filter *f, const struct address *a)
{
	uint8_t bytes[16];

	if (address_special(a) == NULL)
		return true;
	bytes_of(a, bytes);
	/* An IPv4-mapped address does not pass as the IPv4 address that an option allows, only in a
	 * block written that way. */
	for (size_t i = 0; i < f->count; i++) {
		if (f->allow[i].ipv6 == address_is_ipv6(a) &&
			bits_equal(bytes, f->allow[i].bytes, f->allow[i].bits))
			return true;
	}
	return false;
}
