/* Replies of a mail server: the first octet says in which pieces the rest arrives. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/smtp_reply.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply whole;
	struct smtp_reply pieces;
	struct smtp_judgement j;
	struct smtp_ehlo ehlo;
	struct finding_list findings;
	struct arena *arena;
	const char *text;
	size_t step;
	size_t len = 0;

	if (size < 1)
		return 0;
	arena = arena_new();
	finding_list_init(&findings, arena);
	step = (size_t)data[0] + 1;
	text = (const char *)data + 1;
	size--;
	smtp_reply_init(&whole);
	(void)smtp_reply_feed(&whole, text, size);
	smtp_reply_init(&pieces);
	do {
		len = size - len < step ? size : len + step;
		(void)smtp_reply_feed(&pieces, text, len);
	} while (len < size);
	/* The way the octets arrive makes no difference. */
	assert(pieces.state == whole.state && pieces.code == whole.code);
	assert(pieces.problem == whole.problem && pieces.consumed == whole.consumed);
	assert(pieces.line_count == whole.line_count);
	assert(whole.line_count <= SMTP_LINES_MAX && whole.consumed <= size);
	for (size_t i = 0; i < whole.line_count; i++)
		assert(whole.lines[i].offset + whole.lines[i].len <= size);

	if (whole.state == SMTP_COMPLETE) {
		smtp_ehlo_parse(&whole, text, arena, &ehlo);
		(void)smtp_greeting_is_masked(&whole, text);
		j = smtp_judge_ehlo(&whole, text, size, whole.code == 250 ? &ehlo : NULL, false);
		/* TLS starts only behind a clean reply. */
		assert(j.verdict != SMTP_OK || (ehlo.starttls && whole.consumed == size));
		smtp_judgement_report(&j, &whole, text, size, &ehlo, "mx", &findings);
	}
	j = smtp_judge_greeting(&whole, text, size);
	smtp_judgement_report(&j, &whole, text, size, NULL, "mx", &findings);
	j = smtp_judge_starttls(&whole, size);
	assert(j.verdict != SMTP_OK || (whole.code == 220 && whole.consumed == size));
	smtp_judgement_report(&j, &whole, text, size, NULL, "mx", &findings);
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}
