/* Private keys as ssh-keygen and openssl write them: the input is the file. */
#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "export/ssh_sign.h"
#include "tests/fuzz/helper.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = helper_file(data, size);
	struct ssh_signer *s;
	struct error err = {0};
	struct buf signature;
	char *line;

	if (fchmod(helper_file_fd(), 0600) < 0)
		abort();
	if (ssh_signer_load(path, &s, &err) < 0) {
		assert(s == NULL);
		helper_check_error(&err, 1U << ERROR_CONFIG);
		return 0;
	}
	/* What was taken signs. */
	line = ssh_signer_public(s);
	assert(str_starts(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
	free(line);
	buf_init(&signature, 4096);
	if (ssh_sign(s, "git", data, size, &signature, &err) < 0)
		abort();
	assert(str_starts(buf_str(&signature), "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ"));
	buf_clear(&signature);
	ssh_signer_free(s);
	return 0;
}
