/* TUF metadata: the first octet chooses the role, the rest is the file. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/error.h"
#include "export/tuf_metadata.h"
#include "tests/fuzz/helper.h"

/* Every file named is found by its name, and says the same of itself. */
static void
check_files(const struct tuf_meta *m, enum tuf_role role)
{
	struct tuf_file nth, found;
	const char *name;

	for (size_t i = 0; role == TUF_ROLE_TARGETS && tuf_targets_nth(m, i, &name, &nth) > 0;
		i++) {
		assert(tuf_targets_find(m, name, &found) == 1);
		assert(found.length == nth.length && nth.length >= 0);
		assert(strcmp(found.sha256, nth.sha256) == 0);
	}
	if (role != TUF_ROLE_TIMESTAMP && role != TUF_ROLE_SNAPSHOT)
		return;
	for (size_t i = 0; tuf_meta_nth(m, i, &name, &nth) > 0; i++) {
		assert(tuf_meta_find(m, name, &found) == 1);
		assert(found.version == nth.version && nth.version >= 1);
		assert(found.length == nth.length && nth.length >= -1);
		assert(nth.sha256[0] == '\0' || strlen(nth.sha256) == 64);
	}
}

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
		assert(m == NULL);
		helper_check_error(&err, 1U << ERROR_INPUT);
		return 0;
	}
	assert(tuf_meta_version(m) >= 1);
	assert(tuf_meta_role(m) == role && tuf_meta_expires(m) >= 0);
	check_files(m, role);
	if (role == TUF_ROLE_ROOT && tuf_meta_verify(m, m, &err) < 0)
		helper_check_error(&err, 1U << ERROR_SECURITY);
	tuf_meta_free(m);
	return 0;
}
