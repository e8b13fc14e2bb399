/* List documents: what the reader takes, the writer writes again, octet for octet. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/list_writer.h"
#include "tests/fuzz/helper.h"
#include "updater/postfix_policy.h"

/* Entries that the reader resolves from aliases; all texts that occur twice or more without a time
 * of their own are aliases, so sharing what the document shares needs only its own aliases. */
static void
share(struct list_writer *w, const uint8_t *data, size_t size)
{
	static const char mark[] = "\n},\"policy-aliases\":{\n";
	const uint8_t *p = memmem(data, size, mark, sizeof(mark) - 1), *end;

	assert(p != NULL);
	for (p += sizeof(mark) - 1; *p == '"'; p = end + 1) {
		const uint8_t *colon = memchr(p, ':', size - (size_t)(p - data));

		end = memchr(p, '\n', size - (size_t)(p - data));
		assert(colon != NULL && end != NULL);
		(void)list_writer_share(w, (const char *)colon + 1,
			(size_t)(end - colon) - 1 - (end[-1] == ',' ? 1 : 0));
	}
}

static void
write_again(int fd, const uint8_t *data, size_t size)
{
	static char path[64];
	const struct list_entry *e;
	struct list_reader *r;
	struct list_writer *w;
	struct error err = {0};
	struct buf got;

	/* In memory where there is such a place: the writer syncs. */
	if (path[0] == '\0')
		(void)snprintf(path, sizeof(path), "%s/preload25-fuzz-list-%d",
			access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	assert(list_reader_open_fd(fd, "input", &r, &err) == 0);
	assert(list_writer_open(path, list_reader_header(r), &w, &err) == 0);
	share(w, data, size);
	while (list_reader_next(r, &e, &err) > 0)
		list_writer_add_entry(w, e);
	assert(list_writer_commit(w, NULL, &err) == 0);
	list_writer_free(w);
	list_reader_close(r);
	buf_init(&got, size + 1);
	assert(file_read(path, &got, &err) == 0);
	assert(got.len == size && memcmp(got.data, data, size) == 0);
	buf_clear(&got);
	(void)unlink(path);
}

/* What Postfix is told: one line, and nothing of the list can begin another attribute. */
static void
check_lines(const struct list_header *header, const struct list_entry *e)
{
	static const enum postfix_format formats[] = {POSTFIX_FORMAT_PLAIN, POSTFIX_FORMAT_STS};

	for (size_t i = 0; i < 2 * ARRAY_LEN(formats); i++) {
		enum choice choice = choice_of(header, e, i % 2 == 0, false, header->timestamp_s);
		size_t blanks = 0, expected = 1;
		struct buf value;

		assert((unsigned)choice < CHOICES);
		assert(choice != CHOICE_DANE || (i % 2 == 0 && e->policy.auth_dane));
		assert(choice != CHOICE_PKIX || e->policy.auth_pkix);
		if (!choice_is_line(choice))
			continue;
		assert(e->policy.mode == LIST_MODE_ENFORCE);
		buf_init(&value, POSTFIX_VALUE_MAX);
		postfix_policy_format(e, choice, formats[i / 2], &value);
		assert(!buf_failed(&value) && helper_is_shown(buf_str(&value)));
		for (size_t k = 0; k < value.len; k++)
			blanks += value.data[k] == ' ';
		if (choice == CHOICE_DANE)
			expected = 0;
		if (choice == CHOICE_PKIX)
			expected = 2; /* match=, servername= */
		if (formats[i / 2] == POSTFIX_FORMAT_STS)
			expected += 2 + e->policy.mxs_count + (choice == CHOICE_PKIX ? 2 * 6 : 0);
		assert(blanks == expected);
		buf_clear(&value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd, rc = -1;
	const struct list_entry *e;
	struct list_reader *r;
	struct error err = {0};

	(void)helper_file(data, size);
	fd = helper_file_fd();
	if (list_reader_open_fd(fd, "input", &r, &err) == 0) {
		assert(list_header_fault(list_reader_header(r)) == NULL);
		while ((rc = list_reader_next(r, &e, &err)) > 0) {
			assert(list_domain_valid(e->domain, strlen(e->domain)));
			assert(list_policy_fault(&e->policy) == NULL);
			check_lines(list_reader_header(r), e);
		}
		list_reader_close(r);
	}
	assert(rc == 0 || err.kind == ERROR_INPUT);
	if (rc == 0)
		write_again(fd, data, size);
	return 0;
}
