/* TLSA records: the input is RDATA, and also presentation form. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/tlsa.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	struct tlsa_record records[3];
	struct tlsa_set set = {.records = records, .count = 3};

	finding_list_init(&findings, arena);
	tlsa_record_from_wire(data, size, arena, &records[0]);
	tlsa_record_from_text((const char *)data, size, arena, &records[1]);
	/* What is formatted reads back as the same record. */
	tlsa_record_from_text(records[0].text, strlen(records[0].text), arena, &records[2]);
	if (records[0].parsed) {
		assert(tlsa_record_equal(&records[0], &records[2]));
		assert(records[0].code == records[2].code);
	}
	tlsa_set_judge(&set);
	assert(set.considered_count <= set.usable_count && set.usable_count <= set.count);
	assert((set.considered_count == 0) == (set.usable_count == 0));
	tlsa_set_findings(&set, "_25._tcp.mx.example.org", SEVERITY_FAIL, &findings);
	helper_check_findings(&findings);
	for (size_t i = 0; i < set.count; i++) {
		assert(helper_is_shown(records[i].text));
		assert(records[i].code == NULL || finding_find(records[i].code) != NULL);
		assert(!records[i].considered || records[i].code == NULL);
	}
	arena_free(arena);
	return 0;
}
