#include "updater/choice.h"

#include <stddef.h>

#include "export/list.h"

bool
choice_is_line(enum choice choice)
{
	return choice < CHOICE_LEFT_TESTING;
}

const char *
choice_why_left(enum choice choice)
{
	switch (choice) {
	case CHOICE_PKIX:
	case CHOICE_WIDER:
	case CHOICE_PINNED:
	case CHOICE_DANE:
	case CHOICE_ANY:
		break;
	case CHOICE_LEFT_TESTING:
		return "none: the domain asks for testing only";
	case CHOICE_LEFT_RUN_OUT:
		return "none: not confirmed for longer than the domain allows";
	case CHOICE_LEFT_DANE:
		return "none: it has DANE only, which cannot be checked here";
	case CHOICE_LEFT_LONG:
		return "none: it names more servers than this mail server takes for one domain";
	case CHOICE_LEFT_EXCEPTED:
		return "none: excepted by the administrator";
	case CHOICE_LEFT_TRIAL:
		return "none: only a list has it that is being tested here";
	case CHOICE_LEFT_UNTRUSTED:
		return "none: only a list has it that is not trusted for this domain";
	}
	return NULL;
}

enum choice
choice_of(const struct list_header *header, const struct list_entry *entry, bool dane, bool any,
	int64_t now_s)
{
	if (list_entry_end(header, entry) <= now_s)
		return CHOICE_LEFT_RUN_OUT;
	/* Not even a weak line: "may" would override a stricter default of the administrator. */
	if (entry->policy.mode != LIST_MODE_ENFORCE)
		return CHOICE_LEFT_TESTING;
	/* Where one level only fits into a line, DANE is the stronger where it works. */
	if (entry->policy.auth_dane && dane)
		return any && entry->policy.auth_pkix ? CHOICE_ANY : CHOICE_DANE;
	return entry->policy.auth_pkix ? CHOICE_PKIX : CHOICE_LEFT_DANE;
}
