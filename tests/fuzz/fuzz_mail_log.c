/* A mail server's log: what is read of a line lies within it, and names are names. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/clock.h"
#include "export/list.h"
#include "tests/fuzz/helper.h"
#include "updater/log_time.h"
#include "updater/mail_log.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mail_log *log = mail_log_new();

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end != NULL ? (size_t)(end - data) : size;
		struct mail_delivery d;
		struct log_time when;
		int64_t time_s;

		log_time_begin(&when, INT64_C(1795435200));
		if (log_time_parse(&when, (const char *)data, len, &time_s) > 0)
			assert(time_s >= 0 && time_s <= CLOCK_MAX_S);
		for (int rc = mail_log_line(log, (const char *)data, len, &d); rc > 0;
			rc = mail_log_more(log, &d)) {
			assert(d.outcome == MAIL_GIVEN_UP ||
				list_domain_valid(d.domain, strlen(d.domain)));
			assert(strlen(d.id) < MAIL_ID_MAX && d.reason < MAIL_REASONS &&
				d.tls < MAIL_TLS_COUNT);
			assert(d.host[0] == '\0' || list_domain_valid(d.host, strlen(d.host)));
		}
		len += end != NULL;
		data += len;
		size -= len;
	}
	(void)mail_log_silence(log);
	mail_log_free(log);
	return 0;
}
