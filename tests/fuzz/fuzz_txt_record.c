/* TXT records of the three kinds: each input is a set of records, one a line. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/mta_sts.h"
#include "verifier/tlsrpt.h"
#include "verifier/txt_record.h"

#define RECORDS_MAX 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct txt_text texts[RECORDS_MAX];
	struct txt_text joined;
	struct finding_list findings;
	struct mta_sts_record sts;
	struct tlsrpt_record rpt;
	const char *at = (const char *)data;
	const char *end = at + size;
	size_t count = 0;

	finding_list_init(&findings, arena);
	if (txt_from_wire(data, size, arena, &joined) == 0)
		assert(joined.len <= size);
	while (at < end && count < RECORDS_MAX) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf != NULL ? lf : end;

		texts[count++] = (struct txt_text){.text = at, .len = (size_t)(stop - at)};
		at = lf != NULL ? lf + 1 : end;
	}
	mta_sts_rrset_parse(texts, count, "_mta-sts.example.org", &findings, &sts);
	assert((sts.outcome == TXT_VALID) == (sts.code == NULL));
	assert((sts.outcome == TXT_VALID) == (sts.id != NULL));
	assert(sts.id == NULL || strlen(sts.id) <= MTA_STS_ID_MAX);
	tlsrpt_rrset_parse(texts, count, "_smtp._tls.example.org", &findings, &rpt);
	assert((rpt.outcome == TXT_VALID) == (rpt.code == NULL));
	assert(rpt.usable_count <= rpt.rua_count);
	if (sts.id != NULL) {
		/* What a fix tells to publish is a record. */
		const char *text = arena_printf(arena, "v=STSv1; id=%s;", sts.id);

		mta_sts_record_parse(text, strlen(text), "x", &findings, &sts);
		assert(sts.outcome == TXT_VALID && strstr(text, sts.id) != NULL);
	}
	for (size_t i = 0; i < count; i++) {
		mta_sts_record_parse(texts[i].text, texts[i].len, "x", &findings, &sts);
		tlsrpt_record_parse(texts[i].text, texts[i].len, "x", &findings, &rpt);
	}
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}
