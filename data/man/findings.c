/* Writes preload25-findings(7) to standard output; run by `make man`. */
#include <stdio.h>

#include "verifier/finding_manual.h"

int
main(void)
{
	finding_manual_print(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
