/*
 * labcert: writes what a host of the lab shows as PEM files, for servers other than labd.
 *
 *     labcert LABDIR NAME BEHAVIOUR CHAIN.pem KEY.pem
 *
 * NAME need not be a host of the lab: an attacker's certificate for its own name comes from here
 * too. Exit: 0 ok, 2 anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "common/error.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_pki.h"

static int
write_chain(const char *path, const struct lab_identity *id, struct error *err)
{
	FILE *f = fopen(path, "we");
	int ok;

	if (f == NULL)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	ok = PEM_write_X509(f, id->leaf);
	for (int i = 0; ok && i < sk_X509_num(id->chain); i++)
		ok = PEM_write_X509(f, sk_X509_value(id->chain, i));
	if (fclose(f) != 0 || !ok)
		return error_set(err, ERROR_CONFIG, "%s: cannot write", path);
	return 0;
}

static int
write_key(const char *path, const struct lab_identity *id, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	int ok;

	if (f == NULL) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	ok = PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
	if (fclose(f) != 0 || !ok)
		return error_set(err, ERROR_CONFIG, "%s: cannot write", path);
	return 0;
}

int
main(int argc, char **argv)
{
	struct lab_behaviour behaviour;
	struct lab_identity id = {0};
	struct lab_pki *pki = NULL;
	struct error err = {0};
	int rc = 2;

	if (argc != 6) {
		fputs("usage: labcert LABDIR NAME BEHAVIOUR CHAIN.pem KEY.pem\n", stderr);
		return 2;
	}
	if (lab_behaviour_parse(argv[3], &behaviour, &err) < 0 ||
		lab_pki_open(argv[1], &pki, &err) < 0)
		goto out;
	lab_pki_identity(pki, argv[2], behaviour.cert, &id);
	if (write_chain(argv[4], &id, &err) < 0 || write_key(argv[5], &id, &err) < 0)
		goto out;
	rc = 0;
out:
	if (rc != 0)
		fprintf(stderr, "labcert: %s\n", err.text);
	lab_identity_clear(&id);
	lab_pki_free(pki);
	return rc;
}
