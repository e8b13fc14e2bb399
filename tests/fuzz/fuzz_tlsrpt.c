/* One record that says where reports go, and one URI. */
#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"
#include "verifier/tlsrpt.h"

static bool
is_among(const char *const *all, size_t count, const char *one)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i], one) == 0)
			return true;
	}
	return false;
}

/* A URI is visible ASCII and has a scheme; whatever else the grammar asks. */
static void
check_uri(const char *uri, size_t len)
{
	assert(len >= 3 && str_is_alpha((unsigned char)uri[0]) && memchr(uri, ':', len) != NULL);
	for (size_t i = 0; i < len; i++) {
		assert(uri[i] > ' ' && uri[i] < 0x7f);
		assert(strchr(",!;\"<>\\^`{|}", uri[i]) == NULL);
	}
	if (tlsrpt_uri_is_mailto(uri, len)) {
		assert(str_ieq(uri, 7, "mailto:", 7));
		assert(memchr(uri, '@', len) != NULL || memmem(uri, len, "%40", 3) != NULL);
	}
}

/* A record of the same URIs says the same. */
static void
check_again(const struct tlsrpt_record *r, struct finding_list *findings)
{
	const char *text = "v=TLSRPTv1;rua=";
	struct tlsrpt_record again;

	for (size_t i = 0; i < r->rua_count; i++)
		text = arena_printf(findings->arena, "%s%s%s", text, i > 0 ? "," : "", r->rua[i]);
	tlsrpt_record_parse(text, strlen(text), "x", findings, &again);
	assert(again.outcome == TXT_VALID && again.rua_count == r->rua_count);
	assert(again.usable_count == r->usable_count);
	for (size_t i = 0; i < r->rua_count; i++)
		assert(strcmp(again.rua[i], r->rua[i]) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *text = (const char *)data;
	struct finding_list findings;
	struct tlsrpt_record r;

	finding_list_init(&findings, arena);
	tlsrpt_record_parse(text, size, "_smtp._tls.example.org", &findings, &r);
	assert((r.outcome == TXT_VALID) == (r.code == NULL));
	assert(r.usable_count <= r.rua_count);
	for (size_t i = 0; i < r.usable_count; i++)
		assert(is_among(r.rua, r.rua_count, r.usable[i]));
	if (r.mailto != NULL) {
		assert(is_among(r.usable, r.usable_count, r.mailto));
		assert(tlsrpt_uri_is_mailto(r.mailto, strlen(r.mailto)));
	}
	for (size_t i = 0; i < findings.count; i++)
		assert(findings.items[i].severity != SEVERITY_FAIL);
	if (r.outcome == TXT_VALID) {
		assert(r.rua_count > 0);
		for (size_t i = 0; i < r.rua_count; i++)
			check_uri(r.rua[i], strlen(r.rua[i]));
		check_again(&r, &findings);
	}
	if (tlsrpt_uri_is_valid(text, size))
		check_uri(text, size);
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}
