#include "common/idna.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "common/xalloc.h"

int
idna_to_ascii(const char *name, char **out, int *code)
{
	const int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
	char *loose = NULL, *strict = NULL;
	int rc = -1;

	*code = idn2_to_ascii_8z(name, &loose, flags);
	if (*code == IDN2_OK)
		*code = idn2_to_ascii_8z(name, &strict, flags | IDN2_USE_STD3_ASCII_RULES);
	if (*code == IDN2_MALLOC)
		abort();
	/* Characters that STD3 rules forbid, and those that map to them, are dropped by libidn2 2.3
	 * instead of refused; then the two answers differ. */
	if (*code == IDN2_OK)
		rc = strcmp(loose, strict) == 0 ? 0 : 1;
	if (rc == 0)
		*out = xstrdup(strict);
	idn2_free(loose);
	idn2_free(strict);
	return rc;
}
