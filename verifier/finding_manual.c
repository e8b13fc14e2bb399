#include "verifier/finding_manual.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/str.h"
#include "verifier/finding.h"

/* By number of the rule book's section. */
static const char *const sections[] = {
	[1] = "The domain as typed",
	[2] = "DNS in general",
	[3] = "MX",
	[4] = "SMTP session",
	[5] = "STARTTLS",
	[6] = "TLS",
	[7] = "Certificate and name of the MX host",
	[8] = "MTA-STS record",
	[9] = "Fetching the MTA-STS policy",
	[10] = "Text of the MTA-STS policy",
	[11] = "Policy against reality",
	[12] = "DANE: finding the records",
	[13] = "TLSA records",
	[14] = "DANE: matching",
	[15] = "Precedence",
	[16] = "TLSRPT",
	[17] = "Several vantage points",
	[18] = "Eligibility",
	[19] = "Opt-in record",
	[20] = "Leaving the list",
	[21] = "Explaining",
};

static const char head[] =
	".\\\" Made by \"make man\" from the table in verifier/finding.c. Do not edit.\n"
	".Dd November 26, 2026\n"
	".Dt PRELOAD25-FINDINGS 7\n"
	".Os\n"
	".Sh NAME\n"
	".Nm preload25-findings\n"
	".Nd what preload25 has to say about a mail domain\n"
	".Sh DESCRIPTION\n"
	"Each finding of\n"
	".Xr preload25 1\n"
	"has a code that never changes its meaning, and one of four severities:\n"
	".Bl -tag -width temp\n"
	".It Cm fail\n"
	"It stands in the way of being listed.\n"
	".It Cm temp\n"
	"It could not be tested now, which is neither yes nor no.\n"
	"So is what would be a\n"
	".Cm fail\n"
	"and rests only on something that could not be tested.\n"
	".It Cm warn\n"
	"It works today, but should be mended.\n"
	".It Cm info\n"
	"It is worth knowing and changes nothing.\n"
	".El\n"
	".Pp\n"
	"The verdict is the worst of all findings: fail before temp (the verdict is\n"
	".Cm unknown )\n"
	"before pass; only whether there is a TLSRPT record decides nothing.\n"
	"Three warnings about the text of a policy also stand in the way of being listed, because "
	"senders\n"
	"read different things in it:\n"
	".Cm mta-sts-policy-mx-ip , mta-sts-policy-mx-too-wide\n"
	"and\n"
	".Cm mta-sts-policy-duplicate-key .\n"
	".Pp\n"
	"The severity below is the usual one.\n"
	"In its context a finding may weigh less: a self-signed certificate is no fault where "
	"DANE\n"
	"authenticates the host, and what fails beside the way by which a domain qualifies is a "
	"warning.\n"
	"In the output of\n"
	".Cm check Fl Fl json\n"
	"a finding with a\n"
	".Va cause\n"
	"follows from the finding with that code and goes when that is mended; one with an\n"
	".Va operator\n"
	"concerns a host that somebody else runs.\n"
	"Numbers like R8.4 are those of the rule that is behind it.\n";

static const char tail[] = ".Sh SEE ALSO\n"
			   ".Xr preload25 1\n";

/* Text of the table as mdoc: a sentence begins a line, and a backslash is no escape. */
static void
put_text(FILE *out, const char *text)
{
	if (text[0] == '.' || text[0] == '\'')
		fputs("\\&", out);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\\')
			fputs("\\e", out);
		else if (*c == ' ' && c > text && c[-1] == '.' && c[1] >= 'A' && c[1] <= 'Z')
			fputc('\n', out);
		else
			fputc(*c, out);
	}
	fputc('\n', out);
}

void
finding_manual_print(FILE *out)
{
	unsigned long section = 0;

	fputs(head, out);
	for (size_t i = 0; i < finding_table_count; i++) {
		const struct finding_info *info = &finding_table[i];
		unsigned long number = strtoul(info->rule + 1, NULL, 10);

		if (number >= ARRAY_LEN(sections) || sections[number] == NULL)
			abort(); /* a rule that is not in the book */
		/* A finding may stand in the table where it belongs, under the rule of another
		 * section. */
		if (number > section) {
			if (section != 0)
				fputs(".El\n", out);
			fprintf(out, ".Sh %s\n.Bl -tag -width Ds\n", sections[number]);
			section = number;
		}
		fprintf(out, ".It Cm %s Pq %s, %s\n", info->code, severity_name(info->severity),
			info->rule);
		put_text(out, info->meaning);
		if (info->fix != NULL) {
			fputs(".br\n", out);
			put_text(out, info->fix);
		}
	}
	fputs(".El\n", out);
	fputs(tail, out);
}
