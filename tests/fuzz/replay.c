/* Runs a fuzz target over files, without libFuzzer: the corpora as an ordinary test. Each argument
 * is a file or a directory of files. Prints the number of inputs; 2 when something cannot be read.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs;

static int
replay_file(const char *path)
{
	struct error err;
	struct buf input;
	uint8_t *copy;

	buf_init(&input, INPUT_MAX);
	if (file_read(path, &input, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	/* Exactly as many octets as there are: a sanitizer sees a step over the end. */
	copy = xmemdup(buf_str(&input), input.len);
	(void)LLVMFuzzerTestOneInput(copy, input.len);
	free(copy);
	inputs++;
	buf_clear(&input);
	return 0;
}

static int
replay(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (dir == NULL) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *file = xasprintf("%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.' && replay_file(file) < 0)
			rc = -1;
		free(file);
	}
	closedir(dir);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = argc < 2 ? 2 : 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i]) < 0)
			rc = 2;
	}
	printf("%zu inputs\n", inputs);
	return inputs > 0 ? rc : 2;
}
