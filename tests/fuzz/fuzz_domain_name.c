/* What a person typed as a mail domain. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	char name[DOMAIN_NAME_SIZE];
	char again[DOMAIN_NAME_SIZE];

	finding_list_init(&findings, arena);
	if (domain_name_parse((const char *)data, size, false, &findings, name) == 0) {
		assert(finding_list_first_fail(&findings) == NULL);
		assert(domain_name_is_host(name));
		assert(!domain_name_is_special_use(name));
		assert(!domain_name_reads_as_ip(name, strlen(name)));
		/* The result is its own result. */
		assert(domain_name_parse(name, strlen(name), false, &findings, again) == 0);
		assert(strcmp(name, again) == 0);
	} else {
		assert(finding_list_first_fail(&findings) != NULL);
	}
	(void)domain_name_reads_as_ip((const char *)data, size);
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}
