/* TUF metadata: the first octet chooses the role, the rest is the file. */
#include <assert.h>
#include <stdint.h>

#include "common/error.h"
#include "export/tuf_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct tuf_meta *m;
	enum tuf_role role;

	if (size == 0)
		return 0;
	role = (enum tuf_role)(data[0] % TUF_ROLE_COUNT);
	if (tuf_meta_parse((const char *)data + 1, size - 1, role, &m, &err) < 0) {
		assert(err.kind == ERROR_INPUT && m == NULL);
		return 0;
	}
	assert(tuf_meta_version(m) >= 1);
	if (role == TUF_ROLE_ROOT && tuf_meta_verify(m, m, &err) < 0)
		assert(err.kind == ERROR_SECURITY);
	tuf_meta_free(m);
	return 0;
}
