/* Answers of the system's resolver about mail servers: MX records, and TLSA records. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "export/list.h"
#include "tests/fuzz/helper.h"
#include "updater/dane_lookup.h"
#include "updater/mx_lookup.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dane_list *dane = xcalloc(1, sizeof(*dane));
	struct mx_list *mx = xcalloc(1, sizeof(*mx));

	if (mx_lookup_parse(data, size, "good.test", mx) == 0) {
		assert(mx->count > 0 && mx->count <= MX_LOOKUP_MAX);
		for (size_t i = 0; i < mx->count; i++)
			assert(list_domain_valid(mx->hosts[i], strlen(mx->hosts[i])));
	}
	if (dane_lookup_parse(data, size, dane) == 0) {
		assert(dane->count <= DANE_RECORDS_MAX);
		for (size_t i = 0; i < dane->count; i++)
			assert(dane->records[i].len > 0 && dane->records[i].len <= DANE_DATA_MAX);
	} else {
		assert(!dane->secure);
	}
	free(mx);
	free(dane);
	return 0;
}
