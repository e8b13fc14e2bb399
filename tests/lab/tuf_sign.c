/*
 * tuf_sign: signs TUF metadata with any keys, right or wrong, so that tests can make what an
 * authority would never publish and a thief might.
 *
 *     tuf_sign KEY... <SIGNED >FILE     the signed part on standard input, with a signature by each
 *                                       key
 *     tuf_sign --public KEY             {"KEYID": KEY-OBJECT}, as a root names it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/error.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"
#include "export/tuf_metadata.h"

#define KEYS_MAX 16

static int
print_public(const char *path, struct error *err)
{
	struct tuf_signer *s;
	json_t *out;

	if (tuf_signer_load(path, NULL, &s, err) < 0)
		return -1;
	out = json_pack("{s:O}", tuf_key_id(tuf_signer_key(s)),
		(json_t *)(uintptr_t)tuf_key_json(tuf_signer_key(s)));
	(void)json_dumpf(out, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(out);
	tuf_signer_free(s);
	return 0;
}

static int
sign(char **paths, size_t count, struct error *err)
{
	struct tuf_signer *signers[KEYS_MAX] = {NULL};
	json_error_t why;
	json_t *part = json_loadf(stdin, JSON_REJECT_DUPLICATES, &why);
	struct buf out;
	int rc = -1;

	buf_init(&out, TUF_TARGETS_MAX);
	if (part == NULL) {
		error_set(err, ERROR_INPUT, "standard input: line %d: %s", why.line, why.text);
		goto out;
	}
	for (size_t i = 0; i < count; i++)
		if (tuf_signer_load(paths[i], NULL, &signers[i], err) < 0)
			goto out;
	rc = tuf_sign(part, (const struct tuf_signer *const *)signers, count, &out, err);
	if (rc == 0 && fwrite(out.data, 1, out.len, stdout) != out.len)
		rc = error_set_errno(err, ERROR_TEMP, "standard output");
out:
	for (size_t i = 0; i < count; i++)
		tuf_signer_free(signers[i]);
	json_decref(part);
	buf_clear(&out);
	return rc;
}

int
main(int argc, char **argv)
{
	struct error err = {0};
	int rc;

	if (argc < 2 || argc - 1 > KEYS_MAX) {
		fputs("usage: tuf_sign [--public] KEY...\n", stderr);
		return 2;
	}
	rc = strcmp(argv[1], "--public") == 0 && argc == 3 ? print_public(argv[2], &err)
							   : sign(argv + 1, (size_t)argc - 1, &err);
	if (rc < 0)
		fprintf(stderr, "tuf_sign: %s\n", err.text);
	return rc < 0 ? 1 : 0;
}
