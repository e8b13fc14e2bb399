/* Configuration files of both programs: the first octet says of which, the rest is the file. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "builder/settings.h"
#include "builder/store.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/error.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"
#include "updater/fetch.h"
#include "updater/settings.h"

/* Longer lines are refused (config.c). */
#define LINE_MAX_OCTETS 198
#define KINDS           (1U << ERROR_CONFIG | 1U << ERROR_INPUT)

static void
check_key(const struct config *c, const struct config_key *k)
{
	const char *text;
	int64_t number;

	switch (k->type) {
	case CONFIG_INT:
		number = config_int(c, k->section, k->name);
		assert(number >= k->min && number <= k->max);
		return;
	case CONFIG_BOOL:
		(void)config_bool(c, k->section, k->name);
		return;
	case CONFIG_STRING:
		text = config_string(c, k->section, k->name);
		assert(text == NULL || text[0] != '\0');
		assert(text != NULL || !config_is_set(c, k->section, k->name));
		return;
	}
}

/* "key=value", or false when no such line is allowed. */
static bool
put(struct buf *out, const struct config_key *k, const char *value)
{
	if (strlen(k->name) + 1 + strlen(value) > LINE_MAX_OCTETS)
		return false;
	buf_addf(out, "%s=%s\n", k->name, value);
	return true;
}

/* The same settings of a section, written in another way. section: with its name. */
static bool
write_section(const struct config *c, const struct config_key *keys, size_t count, const char *section,
	struct buf *out)
{
	bool whole = true;

	for (size_t i = 0; i < count; i++) {
		const struct config_key *k = &keys[i];

		if (strncmp(k->section, section, strcspn(section, " ")) != 0 ||
			strlen(k->section) != strcspn(section, " "))
			continue;
		if (k->repeat) {
			for (size_t n = 0; n < config_count(c, section, k->name); n++)
				whole = put(out, k, config_nth(c, section, k->name, n)) && whole;
		} else if (!config_is_set(c, section, k->name)) {
			continue;
		} else if (k->type == CONFIG_INT) {
			buf_addf(out, "%s=%lld\n", k->name,
				(long long)config_int(c, section, k->name));
		} else if (k->type == CONFIG_BOOL) {
			buf_addf(out, "%s=%s\n", k->name,
				config_bool(c, section, k->name) ? "yes" : "no");
		} else {
			whole = put(out, k, config_string(c, section, k->name)) && whole;
		}
	}
	return whole;
}

static bool
write_again(const struct config *c, const struct config_key *keys, size_t count, struct buf *out)
{
	bool whole = true;

	for (size_t i = 0; i < count; i++) {
		const char *section = keys[i].section;

		if (i > 0 && strcmp(section, keys[i - 1].section) == 0)
			continue;
		buf_addf(out, "[%s]\n", section);
		whole = write_section(c, keys, count, section, out) && whole;
		for (size_t n = 0; n < config_named_count(c, section); n++) {
			const char *named = config_named_nth(c, section, n);

			buf_addf(out, "[%s]\n", named);
			whole = write_section(c, keys, count, named, out) && whole;
		}
	}
	return whole;
}

static void
check_config(const char *path, const struct config_key *keys, size_t count)
{
	struct config *c, *again;
	struct buf one, two;
	struct error err = {0};

	if (config_load(path, keys, count, &c, &err) < 0) {
		helper_check_error(&err, KINDS);
		assert(str_starts(err.text, path));
		return;
	}
	for (size_t i = 0; i < count; i++)
		check_key(c, &keys[i]);
	buf_init(&one, SIZE_MAX / 2);
	buf_init(&two, SIZE_MAX / 2);
	if (write_again(c, keys, count, &one)) {
		assert(config_load(helper_file(one.data, one.len), keys, count, &again, &err) == 0);
		assert(write_again(again, keys, count, &two));
		assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
		config_free(again);
	}
	buf_clear(&one);
	buf_clear(&two);
	config_free(c);
}

static void
check_builder(const char *path)
{
	const struct clock clock = clock_fixed(1764000000);
	struct settings *s;
	struct error err = {0};

	if (settings_load(path, &clock, &s, &err) < 0) {
		helper_check_error(&err, KINDS);
		return;
	}
	assert(s->vantage_count >= 1 && s->vantage_count <= STORE_VANTAGES_MAX);
	assert(s->life.remove_s >= s->life.demote_s && s->life.gap_s >= s->life.recheck_s);
	assert(str_starts(s->store_url, "sqlite:"));
	for (size_t i = 0; i < s->repository.remote_count; i++)
		assert(s->repository.remotes[i] != NULL);
	settings_free(s);
}

static void
check_updater(const char *path)
{
	struct update_settings s;
	struct error err = {0};

	if (update_settings_load(path, &s, &err) < 0) {
		helper_check_error(&err, KINDS);
		return;
	}
	assert(s.map_file[0] == '/' && s.kind != NULL);
	assert(s.source_count >= 1 && s.source_count <= SOURCES_MAX);
	for (size_t i = 0; i < s.source_count; i++) {
		const struct source_settings *source = &s.sources[i];

		assert(i == 0 || (source->url_count > 0 && source->root != NULL));
		for (size_t k = 0; k < source->url_count; k++)
			assert(fetch_url_valid(source->urls[k]));
		for (size_t k = 0; k < source->domain_count; k++)
			assert(source->domains[k][0] != '.');
	}
	update_settings_clear(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool builder;
	const char *path;

	if (size < 1)
		return 0;
	builder = data[0] % 2 == 0;
	path = helper_file(data + 1, size - 1);
	if (builder)
		check_builder(path);
	else
		check_updater(path);
	check_config(path, builder ? settings_keys : update_settings_keys,
		builder ? settings_key_count : update_settings_key_count);
	return 0;
}
