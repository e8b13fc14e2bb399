#include "builder/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/settings.h"
#include "builder/terminal.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/file.h"
#include "export/passphrase.h"
#include "export/signing.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

/* --- in plain words -----------------------------------------------------------------------------
 */

static void
print_key_line(const char *sign, const struct tuf_key *key)
{
	printf("    %s %s  %s\n", sign, tuf_key_id(key), tuf_key_type(key));
}

/* What becomes of one role: every key by its whole id, those that come and go marked. */
static void
print_role(const struct tuf_meta *old, const struct tuf_meta *new, enum tuf_role role)
{
	const struct tuf_key *key;
	size_t count = 0;

	while (tuf_root_key(new, role, count) != NULL)
		count++;
	printf("  %s: %" PRId64 " of %zu %s", tuf_role_name(role), tuf_root_threshold(new, role),
		count, terminal_noun((int64_t)count, "key", "keys"));
	if (tuf_root_threshold(old, role) != tuf_root_threshold(new, role))
		printf(" must sign, until now %" PRId64, tuf_root_threshold(old, role));
	printf("%s\n", tuf_root_same_role(old, new, role) ? ", as before" : "");
	for (size_t i = 0; (key = tuf_root_key(new, role, i)) != NULL; i++)
		print_key_line(tuf_root_has_key(old, role, tuf_key_id(key)) ? " " : "+", key);
	for (size_t i = 0; (key = tuf_root_key(old, role, i)) != NULL; i++)
		if (!tuf_root_has_key(new, role, tuf_key_id(key)))
			print_key_line("-", key);
}

static void
print_targets(const struct tuf_meta *targets)
{
	struct tuf_file file;
	const char *name;

	for (size_t i = 0; tuf_targets_nth(targets, i, &name, &file); i++)
		printf("  %s: %" PRId64 " bytes, sha256 %s\n", name, file.length, file.sha256);
}

static void
print_signatures(const struct signing *s)
{
	const struct tuf_meta *meta = signing_meta(s), *root = signing_root(s);
	enum tuf_role role = tuf_meta_role(meta);
	const struct tuf_key *key;
	struct buf state;

	buf_init(&state, 200);
	signing_state(s, &state);
	printf("%s\n", buf_str(&state));
	buf_clear(&state);
	for (size_t i = 0; (key = tuf_root_key(root, role, i)) != NULL; i++)
		if (tuf_meta_signed_by(meta, key))
			printf("  by %s\n", tuf_key_id(key));
	for (size_t i = 0; role == TUF_ROLE_ROOT && (key = tuf_root_key(meta, role, i)) != NULL;
		i++)
		if (!tuf_root_has_key(root, role, tuf_key_id(key)) && tuf_meta_signed_by(meta, key))
			printf("  by %s\n", tuf_key_id(key));
}

static void
print_request(const struct signing *s)
{
	const struct tuf_meta *meta = signing_meta(s), *root = signing_root(s);
	char expires[TERMINAL_TIME_SIZE];

	terminal_time(tuf_meta_expires(meta), expires);
	printf("%s version %" PRId64 ", good until %s, %s root version %" PRId64 "\n",
		tuf_role_name(tuf_meta_role(meta)), tuf_meta_version(meta), expires,
		tuf_meta_role(meta) == TUF_ROLE_ROOT ? "follows" : "signed by the keys of",
		tuf_meta_version(root));
	if (tuf_meta_role(meta) == TUF_ROLE_ROOT) {
		for (int i = 0; i < TUF_ROLE_COUNT; i++)
			print_role(root, meta, (enum tuf_role)i);
	} else {
		print_targets(meta);
	}
}

/* --- signing ------------------------------------------------------------------------------------
 */

/* The root in the request is only as good as who sent it; the signer's own copy is better. */
static int
check_root(const struct signing *s, const char *path, struct error *err)
{
	const struct buf *a, *b = tuf_meta_octets(signing_root(s));
	struct tuf_meta *own = NULL;
	struct buf text;
	int rc;

	buf_init(&text, TUF_ROOT_MAX);
	rc = file_read(path, &text, err);
	if (rc == 0)
		rc = tuf_meta_parse(buf_str(&text), text.len, TUF_ROLE_ROOT, &own, err);
	buf_clear(&text);
	if (rc < 0)
		return error_prefix(err, "--root %s", path);
	a = tuf_meta_octets(own);
	if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
		rc = error_set(err, ERROR_SECURITY,
			"--root %s: version %" PRId64 ", the request builds on another, version "
			"%" PRId64,
			path, tuf_meta_version(own), tuf_meta_version(signing_root(s)));
	tuf_meta_free(own);
	return rc;
}

/* Signs with one key. */
static int
sign_with(struct signing *s, const char *uri, const char *passphrase_from, struct error *err)
{
	struct passphrase *pass = NULL;
	struct tuf_signer *signer = NULL;
	int rc;

	rc = passphrase_new(passphrase_from, &pass, err);
	if (rc == 0)
		rc = tuf_signer_load(uri, pass, &signer, err);
	if (rc == 0)
		rc = signing_add(s, signer, err);
	if (rc >= 0)
		printf("%s by key %s\n", rc > 0 ? "signed" : "was signed already",
			tuf_key_id(tuf_signer_key(signer)));
	tuf_signer_free(signer);
	passphrase_free(pass);
	return rc;
}

/* With --key, else with what the configuration names for the role. Returns the number of new
 * signatures. */
static int
sign(struct app *app, const struct cli_call *call, struct signing *s, struct error *err)
{
	const char *key = cli_value(call, "key"), *from = cli_value(call, "passphrase-from");
	const enum tuf_role role = tuf_meta_role(signing_meta(s));
	const struct repository_keys *keys;
	const struct settings *settings;
	int rc, made = 0;

	if (key != NULL)
		return sign_with(s, key, from, err);
	if (app_settings(app, true, &settings, err) < 0)
		return -1;
	keys = &settings->repository.keys[role];
	if (keys->count == 0)
		return error_set(err, ERROR_CONFIG, "sign: name your private key with --key URI");
	for (size_t i = 0; i < keys->count; i++) {
		rc = sign_with(s, keys->uris[i], from != NULL ? from : keys->passphrase_from, err);
		if (rc < 0)
			return -1;
		made += rc;
	}
	return made;
}

int
cmd_sign(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *path = call->args[0], *root = cli_value(call, "root");
	struct signing *s = NULL;
	int rc = signing_read(path, &s, err);

	if (rc == 0)
		rc = error_set(err, ERROR_CONFIG, "%s: there is no such file", path);
	if (rc < 0 || (root != NULL && check_root(s, root, err) < 0)) {
		rc = -1;
		goto out;
	}
	print_request(s);
	if (tuf_meta_expires(signing_meta(s)) <= clock_now(&app->clock)) {
		rc = error_set(err, ERROR_CONFIG, "%s: it has expired: nobody would take it", path);
		goto out;
	}
	rc = 0;
	if (!cli_flag(call, "show")) {
		fflush(stdout); /* what is signed comes before any question for a pass phrase */
		rc = sign(app, call, s, err);
		if (rc > 0)
			rc = signing_write(s, path, err);
	}
	if (rc < 0)
		goto out;
	print_signatures(s);
	if (signing_complete(s))
		printf("complete: put it back where it came from, and publish\n");
	rc = 0;
out:
	signing_free(s);
	return rc;
}
