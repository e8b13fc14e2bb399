#include "export/tuf_trust.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/json.h"
#include "common/xalloc.h"
#include "export/tuf_key.h"

int
tuf_keys_parse(struct tuf_keys *keys, const json_t *object, struct error *err)
{
	const char *id;
	json_t *members, *value;

	if (json_get_object(object, "keys", &members, err) < 0)
		return -1;
	if (json_object_size(members) > TUF_KEYS_MAX)
		return error_set(err, ERROR_INPUT, "more than %d keys", TUF_KEYS_MAX);
	keys->list = xcalloc(json_object_size(members) + 1, sizeof(struct tuf_key *));
	json_object_foreach(members, id, value)
	{
		struct tuf_key *k;

		if (tuf_key_from_json(value, &k, err) < 0)
			return -1;
		keys->list[keys->count++] = k;
		if (strcmp(tuf_key_id(k), id) != 0)
			return error_set(
				err, ERROR_INPUT, "key %.64s is not named by its content", id);
	}
	return 0;
}

void
tuf_keys_clear(struct tuf_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		tuf_key_free(keys->list[i]);
	free(keys->list);
	*keys = (struct tuf_keys){0};
}

int
tuf_signatories_parse(struct tuf_signatories *s, const json_t *object, struct error *err)
{
	json_t *ids;

	if (json_get_int(object, "threshold", 1, TUF_INT_MAX, &s->threshold, err) < 0 ||
		json_get_array(object, "keyids", &ids, err) < 0)
		return -1;
	if (json_array_size(ids) > TUF_KEYS_MAX)
		return error_set(err, ERROR_INPUT, "more than %d keys", TUF_KEYS_MAX);
	s->ids = xcalloc(json_array_size(ids) + 1, sizeof(*s->ids));
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (id == NULL)
			return error_set(err, ERROR_INPUT, "\"keyids\" is not a list of strings");
		s->ids[s->count++] = id;
	}
	return 0;
}

void
tuf_signatories_clear(struct tuf_signatories *s)
{
	free(s->ids);
	*s = (struct tuf_signatories){0};
}

bool
tuf_signatories_have(const struct tuf_signatories *s, const char *id)
{
	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->ids[i], id) == 0)
			return true;
	}
	return false;
}

bool
tuf_signatories_same(const struct tuf_signatories *a, const struct tuf_signatories *b)
{
	if (a->threshold != b->threshold)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!tuf_signatories_have(b, a->ids[i]))
			return false;
	}
	for (size_t i = 0; i < b->count; i++) {
		if (!tuf_signatories_have(a, b->ids[i]))
			return false;
	}
	return true;
}

int
tuf_signatures_check(const json_t *document, struct error *err)
{
	const char *id, *other, *sig;
	json_t *signatures;

	if (json_get_array(document, "signatures", &signatures, err) < 0)
		return -1;
	if (json_array_size(signatures) > TUF_SIGNATURES_MAX)
		return error_set(err, ERROR_INPUT, "more than %d signatures", TUF_SIGNATURES_MAX);
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *item = json_array_get(signatures, i);

		if (!json_is_object(item))
			return error_set(err, ERROR_INPUT, "a signature is not an object");
		if (json_get_string(item, "keyid", &id, err) < 0 ||
			json_get_string(item, "sig", &sig, err) < 0)
			return error_prefix(err, "signature");
		for (size_t j = 0; j < i; j++) {
			other = json_string_value(
				json_object_get(json_array_get(signatures, j), "keyid"));
			if (strcmp(other, id) == 0)
				return error_set(
					err, ERROR_INPUT, "two signatures by key %.64s", id);
		}
	}
	return 0;
}

const struct tuf_key *
tuf_trust_key(const struct tuf_keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(tuf_key_id(keys->list[i]), id) == 0)
			return keys->list[i];
	}
	return NULL;
}

const char *
tuf_trust_signature(const json_t *document, const char *id)
{
	const json_t *signatures = json_object_get(document, "signatures");

	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *item = json_array_get(signatures, i);

		if (strcmp(json_string_value(json_object_get(item, "keyid")), id) == 0)
			return json_string_value(json_object_get(item, "sig"));
	}
	return NULL;
}

size_t
tuf_trust_count(const struct tuf_keys *keys, const struct tuf_signatories *s,
	const json_t *document, const char *octets, size_t len)
{
	const struct tuf_key *counted[TUF_KEYS_MAX];
	size_t good = 0;

	for (size_t i = 0; i < s->count && (int64_t)good < s->threshold; i++) {
		const struct tuf_key *key = tuf_trust_key(keys, s->ids[i]);
		const char *sig = tuf_trust_signature(document, s->ids[i]);
		bool seen = false;

		if (key == NULL || sig == NULL)
			continue;
		/* One public key counts once, under however many ids it is listed. */
		for (size_t j = 0; j < good && !seen; j++)
			seen = counted[j] == key || tuf_key_same(counted[j], key);
		if (!seen && tuf_key_verify(key, octets, len, sig))
			counted[good++] = key;
	}
	return good;
}
