#include "builder/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/authority_init.h"
#include "builder/settings.h"
#include "builder/terminal.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/passphrase.h"
#include "export/pkcs11.h"
#include "export/repository.h"
#include "export/signing.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

#define KEY_FILE_MAX ((size_t)64 * 1024)
#define EXPIRES_MAX  INT64_C(3650)
/* Files of one role that generate makes beside each other. */
#define NUMBER_MAX 100

/* --- what was typed -----------------------------------------------------------------------------
 */

static int
read_role(const struct cli_call *call, enum tuf_role *out, struct error *err)
{
	const char *name = cli_value(call, "role");

	if (name == NULL)
		return error_set(err, ERROR_CONFIG,
			"key %s: needs --role root|targets|snapshot|timestamp", call->args[0]);
	if (tuf_role_parse(name, out) < 0)
		return error_set(err, ERROR_CONFIG,
			"--role %s: no such role: root, targets, snapshot or timestamp", name);
	return 0;
}

/* 0 when the option was not given. */
static int
read_number(const struct cli_call *call, const char *option, int64_t max, int64_t *out,
	struct error *err)
{
	const char *text = cli_value(call, option);
	uint64_t n;

	*out = 0;
	if (text == NULL)
		return 0;
	if (str_parse_u64(text, strlen(text), (uint64_t)max, &n) < 0 || n == 0)
		return error_set(err, ERROR_CONFIG,
			"--%s: \"%s\" is not a number from 1 to %" PRId64, option, text, max);
	*out = (int64_t)n;
	return 0;
}

/* A public key: a file as `key export` prints it, a PEM file, or the URI of a key in a token. */
static int
read_public(const char *name, const char *passphrase_from, struct tuf_key **out, struct error *err)
{
	struct passphrase *pass = NULL;
	struct tuf_signer *signer = NULL;
	json_t *object = NULL;
	struct buf text;
	int rc = -1;

	*out = NULL;
	buf_init(&text, KEY_FILE_MAX);
	if (pkcs11_is_uri(name)) {
		if (passphrase_new(passphrase_from, &pass, err) < 0 ||
			tuf_signer_load(name, pass, &signer, err) < 0)
			goto out;
		rc = tuf_key_from_json(tuf_key_json(tuf_signer_key(signer)), out, err);
		goto out;
	}
	if (file_read(name, &text, err) < 0)
		goto out;
	if (strstr(buf_str(&text), "PRIVATE KEY") != NULL)
		error_set(err, ERROR_SECURITY,
			"%s: a private key, and it should stay where it is: give what key export "
			"prints of it",
			name);
	else if (str_starts(buf_str(&text), "-----BEGIN"))
		rc = tuf_key_from_pem(buf_str(&text), name, out, err);
	else if (json_parse(buf_str(&text), text.len, &object, err) < 0 ||
		tuf_key_from_json(object, out, err) < 0)
		error_prefix(err, "%s", name);
	else
		rc = 0;
out:
	json_decref(object);
	tuf_signer_free(signer);
	passphrase_free(pass);
	buf_clear(&text);
	return rc;
}

/* --- generate -----------------------------------------------------------------------------------
 */

/* The first free name beside the role's configured file: targets.pem, targets-2.pem, ... */
static int
free_name(const struct settings *s, enum tuf_role role, char **out, struct error *err)
{
	const struct repository_keys *keys = &s->repository.keys[role];
	const char *path = keys->count > 0 ? tuf_signer_path(keys->uris[0]) : NULL;
	const char *slash, *dot;

	if (path == NULL)
		return error_set(err, ERROR_CONFIG, "key generate: name the file to write");
	slash = strrchr(path, '/');
	dot = strrchr(slash != NULL ? slash : path, '.');
	if (dot == NULL)
		dot = path + strlen(path);
	for (int i = 1; i <= NUMBER_MAX; i++) {
		*out = i == 1 ? xstrdup(path)
			      : xasprintf("%.*s-%d%s", (int)(dot - path), path, i, dot);
		if (!file_exists(*out))
			return 0;
		free(*out);
	}
	*out = NULL;
	return error_set(err, ERROR_CONFIG, "key generate: name the file to write");
}

static int
generate(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *from = cli_value(call, "passphrase-from"), *type = cli_value(call, "type");
	struct passphrase *pass = NULL;
	struct tuf_signer *signer = NULL;
	const struct settings *s;
	enum tuf_role role;
	char *path = NULL;
	int rc = -1;

	if (call->arg_count > 1)
		path = xstrdup(call->args[1]);
	else if (read_role(call, &role, err) < 0 || app_settings(app, false, &s, err) < 0 ||
		free_name(s, role, &path, err) < 0)
		goto out;
	if ((from != NULL && passphrase_new(from, &pass, err) < 0) ||
		tuf_signer_generate(path, type != NULL ? type : "ed25519", pass, &signer, err) < 0)
		goto out;
	printf("%s  %s  %s\n", tuf_key_id(tuf_signer_key(signer)),
		tuf_key_type(tuf_signer_key(signer)), path);
	rc = 0;
out:
	tuf_signer_free(signer);
	passphrase_free(pass);
	free(path);
	return rc;
}

/* --- list ---------------------------------------------------------------------------------------
 */

/* One role only, or all. */
static int
role_filter(const struct cli_call *call, int *out, struct error *err)
{
	enum tuf_role role;

	*out = -1;
	if (cli_value(call, "role") == NULL)
		return 0;
	if (read_role(call, &role, err) < 0)
		return -1;
	*out = (int)role;
	return 0;
}

static json_t *
role_json(const struct repository *r, enum tuf_role role)
{
	const struct tuf_meta *root = repository_meta(r, TUF_ROLE_ROOT);
	const struct tuf_meta *meta = repository_meta(r, role);
	json_t *keys = json_array(), *object;
	const struct tuf_key *key;
	char expires[CLOCK_TEXT_SIZE];

	for (size_t i = 0; (key = tuf_root_key(root, role, i)) != NULL; i++) {
		const char *uri = repository_key_uri(r, role, tuf_key_id(key));
		json_t *item = json_pack("{s:s, s:s, s:O, s:b, s:O}", "keyid", tuf_key_id(key),
			"keytype", tuf_key_type(key), "scheme",
			json_object_get(tuf_key_json(key), "scheme"), "held", uri != NULL, "keyval",
			json_object_get(tuf_key_json(key), "keyval"));

		if (item == NULL ||
			(uri != NULL && json_object_set_new(item, "uri", json_string(uri)) < 0) ||
			json_array_append_new(keys, item) < 0)
			abort();
	}
	object = json_pack("{s:I, s:o}", "threshold", (json_int_t)tuf_root_threshold(root, role),
		"keys", keys);
	if (object == NULL)
		abort();
	if (meta != NULL) {
		clock_format(tuf_meta_expires(meta), expires);
		if (json_object_set_new(object, "version", json_integer(tuf_meta_version(meta))) <
				0 ||
			json_object_set_new(object, "expires", json_string(expires)) < 0)
			abort();
	}
	return object;
}

static void
add_waiting(const char *path, struct signing *s, void *arg)
{
	const struct tuf_meta *meta = signing_meta(s);
	json_t *item;
	struct buf state;

	buf_init(&state, 200);
	signing_state(s, &state);
	item = json_pack("{s:s, s:s, s:I, s:s, s:b}", "file", path, "role",
		tuf_role_name(tuf_meta_role(meta)), "version", (json_int_t)tuf_meta_version(meta),
		"state", buf_str(&state), "complete", signing_complete(s));
	if (item == NULL || json_array_append_new(arg, item) < 0)
		abort();
	buf_clear(&state);
}

static int
list_json(const struct repository *r, int only, struct error *err)
{
	json_t *roles = json_object(), *waiting = json_array(), *all;
	struct buf text;
	int rc;

	for (int i = 0; i < TUF_ROLE_COUNT; i++) {
		if ((only < 0 || only == i) &&
			json_object_set_new(roles, tuf_role_name((enum tuf_role)i),
				role_json(r, (enum tuf_role)i)) < 0)
			abort();
	}
	repository_each_request(r, add_waiting, waiting);
	all = json_pack("{s:o, s:o}", "roles", roles, "waiting", waiting);
	if (all == NULL)
		abort();
	buf_init(&text, (size_t)16 * 1024 * 1024);
	rc = json_compact(all, &text, err);
	if (rc == 0)
		puts(buf_str(&text));
	buf_clear(&text);
	json_decref(all);
	return rc;
}

static void
print_waiting(const char *path, struct signing *s, void *arg UNUSED)
{
	const struct tuf_meta *meta = signing_meta(s);
	struct buf state;

	buf_init(&state, 200);
	signing_state(s, &state);
	printf("%s version %" PRId64 " %s %s: %s\n", tuf_role_name(tuf_meta_role(meta)),
		tuf_meta_version(meta),
		signing_complete(s) ? "waits for publish with" : "waits with", buf_str(&state),
		path);
	buf_clear(&state);
}

static void
print_role(const struct repository *r, enum tuf_role role)
{
	const struct tuf_meta *root = repository_meta(r, TUF_ROLE_ROOT);
	const struct tuf_meta *meta = repository_meta(r, role);
	const struct tuf_key *key;
	char expires[TERMINAL_TIME_SIZE];
	size_t count = 0;

	while (tuf_root_key(root, role, count) != NULL)
		count++;
	printf("%s: %" PRId64 " of %zu %s", tuf_role_name(role), tuf_root_threshold(root, role),
		count, terminal_noun((int64_t)count, "key", "keys"));
	if (meta != NULL) {
		terminal_time(tuf_meta_expires(meta), expires);
		printf(", version %" PRId64 " expires %s", tuf_meta_version(meta), expires);
	}
	printf("\n");
	for (size_t i = 0; (key = tuf_root_key(root, role, i)) != NULL; i++) {
		const char *uri = repository_key_uri(r, role, tuf_key_id(key));

		printf("  %s  %-7s  %s\n", tuf_key_id(key), tuf_key_type(key),
			uri != NULL ? uri : "not here, or not to be had without asking");
	}
}

static int
list(struct app *app, const struct cli_call *call, struct error *err)
{
	struct repository_options options;
	struct repository *r;
	const struct settings *s;
	int only, rc = 0;

	if (role_filter(call, &only, err) < 0 || app_settings(app, false, &s, err) < 0)
		return -1;
	authority_repository_options(s, AUTHORITY_ALL_KEYS, &options);
	if (repository_look(&options, &r, err) < 0)
		return -1;
	if (cli_flag(call, "json")) {
		rc = list_json(r, only, err);
	} else {
		for (int i = 0; i < TUF_ROLE_COUNT; i++)
			if (only < 0 || only == i)
				print_role(r, (enum tuf_role)i);
		repository_each_request(r, print_waiting, NULL);
	}
	repository_close(r);
	return rc;
}

/* --- export -------------------------------------------------------------------------------------
 */

static int
print_key(const struct tuf_key *key, bool pem, struct error *err)
{
	struct buf text;
	char *as_pem;
	int rc = 0;

	if (pem) {
		as_pem = tuf_key_pem(key);
		if (as_pem == NULL)
			return error_set(
				err, ERROR_INPUT, "key %.12s has no PEM form", tuf_key_id(key));
		fputs(as_pem, stdout);
		free(as_pem);
		return 0;
	}
	buf_init(&text, KEY_FILE_MAX);
	rc = json_compact(tuf_key_json(key), &text, err);
	if (rc == 0)
		puts(buf_str(&text));
	buf_clear(&text);
	return rc;
}

/* The public half of a private key that is here. */
static int
export_private(const struct cli_call *call, const char *uri, struct error *err)
{
	struct passphrase *pass = NULL;
	struct tuf_signer *signer = NULL;
	int rc = -1;

	if (passphrase_new(cli_value(call, "passphrase-from"), &pass, err) == 0 &&
		tuf_signer_load(uri, pass, &signer, err) == 0)
		rc = print_key(tuf_signer_key(signer), cli_flag(call, "pem"), err);
	tuf_signer_free(signer);
	passphrase_free(pass);
	return rc;
}

/* By id, of the published root, or all keys of a role. */
static int
export_published(struct app *app, const struct cli_call *call, const char *id, struct error *err)
{
	struct repository_options options;
	struct repository *r;
	const struct settings *s;
	const struct tuf_key *key;
	int only, rc = 0;
	size_t found = 0;

	if (role_filter(call, &only, err) < 0 || app_settings(app, false, &s, err) < 0)
		return -1;
	authority_repository_options(s, AUTHORITY_NO_KEYS, &options);
	if (repository_look(&options, &r, err) < 0)
		return -1;
	for (int i = 0; rc == 0 && i < TUF_ROLE_COUNT; i++) {
		const struct tuf_meta *root = repository_meta(r, TUF_ROLE_ROOT);

		if (only >= 0 && only != i)
			continue;
		for (size_t k = 0;
			rc == 0 && (key = tuf_root_key(root, (enum tuf_role)i, k)) != NULL; k++) {
			if (id != NULL && !str_starts(tuf_key_id(key), id))
				continue;
			found++;
			rc = print_key(key, cli_flag(call, "pem"), err);
			if (id != NULL)
				break;
		}
		if (id != NULL && found > 0)
			break;
	}
	repository_close(r);
	if (rc == 0 && found == 0)
		rc = error_set(err, ERROR_CONFIG, "%.64s: the root names no such key", id);
	return rc;
}

static int export(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *what = call->arg_count > 1 ? call->args[1] : NULL;

	if (call->arg_count > 2)
		return error_set(err, ERROR_CONFIG, "key export: one key at a time");
	if (what != NULL && (strpbrk(what, ":/.") != NULL || file_exists(what)))
		return export_private(call, what, err);
	if (what == NULL && cli_value(call, "role") == NULL)
		return error_set(err, ERROR_CONFIG,
			"key export: needs a key id, a private key's URI, or --role");
	return export_published(app, call, what, err);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static int
apply(struct app *app, const struct settings *s, const struct repository_change *change,
	struct error *err)
{
	struct repository_options options;
	struct repository *r;
	enum repository_root result;
	char commit[GIT_COMMIT_SIZE];
	int rc;

	authority_repository_options(s, AUTHORITY_ALL_KEYS, &options);
	options.new_keys = true;
	if (repository_open(&options, &r, err) < 0)
		return -1;
	rc = repository_change_keys(r, change, clock_now(&app->clock), &result, commit, err);
	if (rc == 0 && result == REPOSITORY_ROOT_NEW) {
		printf("root %" PRId64 " is published, commit %.12s\n",
			tuf_meta_version(repository_meta(r, TUF_ROLE_ROOT)), commit);
		rc = repository_push(r, err);
	} else if (rc == 0) {
		printf("root %" PRId64 " waits for signatures; the published one stays\n",
			tuf_meta_version(repository_meta(r, TUF_ROLE_ROOT)) + 1);
	}
	repository_close(r);
	return rc;
}

/* add KEY..., rotate [KEY], revoke ID... */
static int
change(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *action = call->args[0], *replace = cli_value(call, "replace");
	const char *const *rest = call->args + 1;
	const size_t count = (size_t)call->arg_count - 1;
	const bool revoke = strcmp(action, "revoke") == 0, rotate = strcmp(action, "rotate") == 0;
	struct tuf_key **keys = xcalloc(count + 1, sizeof(struct tuf_key *));
	struct repository_change c = {0};
	const struct settings *s;
	int64_t days;
	int rc = -1;

	if (read_role(call, &c.role, err) < 0 ||
		read_number(call, "threshold", TUF_KEYS_MAX, &c.threshold, err) < 0 ||
		read_number(call, "expires", EXPIRES_MAX, &days, err) < 0)
		goto out;
	c.root_expires_s = days * CLOCK_DAY_S;
	if (replace != NULL && !rotate) {
		error_set(err, ERROR_CONFIG, "--replace goes with key rotate");
		goto out;
	}
	if (rotate &&
		(count > 1 || (count == 1 && replace == NULL) || (count == 0 && replace != NULL))) {
		error_set(err, ERROR_CONFIG,
			"key rotate: either nothing, and the files here are followed by new ones, "
			"or "
			"--replace KEYID and the public key that takes its place");
		goto out;
	}
	if (revoke && count == 0) {
		error_set(err, ERROR_CONFIG, "key revoke: which key? Give its id (see key list)");
		goto out;
	}
	if (!revoke && !rotate && count == 0 && c.threshold == 0 && days == 0) {
		error_set(err, ERROR_CONFIG,
			"key add: needs public keys (see key export), --threshold or --expires");
		goto out;
	}
	if (app_settings(app, false, &s, err) < 0)
		goto out;
	for (size_t i = 0; !revoke && i < count; i++)
		if (read_public(
			    rest[i], s->repository.keys[c.role].passphrase_from, &keys[i], err) < 0)
			goto out;
	c.rotate = rotate && count == 0;
	c.add = (const struct tuf_key *const *)keys;
	c.add_count = revoke ? 0 : count;
	c.remove = revoke ? rest : &replace;
	c.remove_count = revoke ? count : replace != NULL;
	rc = apply(app, s, &c, err);
out:
	for (size_t i = 0; i < count; i++)
		tuf_key_free(keys[i]);
	free(keys);
	return rc;
}

int
cmd_key(struct app *app, const struct cli_call *call, struct error *err)
{
	static const struct {
		const char *name;
		int (*run)(struct app *app, const struct cli_call *call, struct error *err);
	} actions[] = {
		{"generate", generate},
		{"list", list},
		{"export", export},
		{"add", change},
		{"rotate", change},
		{"revoke", change},
	};
	const char *names[ARRAY_LEN(actions)], *meant;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, call->args[0]) == 0)
			return actions[i].run(app, call, err);
		names[i] = actions[i].name;
	}
	meant = cli_suggest(call->args[0], names, ARRAY_LEN(names));
	return error_set(err, ERROR_CONFIG, "key %s: no such act; %s%s%s", call->args[0],
		meant != NULL ? "did you mean " : "generate, list, export, add, rotate or revoke",
		meant != NULL ? meant : "", meant != NULL ? "?" : "");
}
