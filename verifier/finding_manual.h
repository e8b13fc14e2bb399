/*
 * finding_manual: the manual page preload25-findings(7), made of finding_table.
 */
#ifndef VERIFIER_FINDING_MANUAL_H
#define VERIFIER_FINDING_MANUAL_H

#include <stdio.h>

/* The whole page as mdoc source. `make man` writes it to data/man; a test holds the file against
 * it. */
void finding_manual_print(FILE *out);

#endif
