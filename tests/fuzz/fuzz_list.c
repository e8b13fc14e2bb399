/* List documents: what the reader takes, the writer writes again, octet for octet. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/list_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

	if (path[0] == '\0')
		(void)snprintf(path, sizeof(path), "/tmp/preload25-fuzz-list-%d", (int)getpid());
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("list", MFD_CLOEXEC), rc = -1;
	const struct list_entry *e;
	struct list_reader *r;
	struct error err = {0};

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (list_reader_open_fd(fd, "input", &r, &err) == 0) {
		assert(list_header_fault(list_reader_header(r)) == NULL);
		while ((rc = list_reader_next(r, &e, &err)) > 0) {
			assert(list_domain_valid(e->domain, strlen(e->domain)));
			assert(list_policy_fault(&e->policy) == NULL);
		}
		list_reader_close(r);
	}
	assert(rc == 0 || err.kind == ERROR_INPUT);
	if (rc == 0)
		write_again(fd, data, size);
	(void)close(fd);
	return 0;
}
