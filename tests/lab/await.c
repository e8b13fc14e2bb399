/*
 * await: waits for an event in the file system instead of sleeping, at most so long.
 *
 *     await [-t SECONDS] exists PATH           until PATH exists
 *     await [-t SECONDS] line [-o OFFSET] FILE REGEX
 *                                              until FILE has a whole line that matches (extended
 *                                              regular expression), from byte OFFSET on; prints it
 *
 * FILE need not exist yet. Exit: 0 it came, 1 it did not come in time, 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <poll.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"

enum {
	TIMEOUT_DEFAULT_S = 30,
	TIMEOUT_MAX_S = 3600,
};

static const char usage[] = "usage: await [-t SECONDS] exists PATH\n"
			    "       await [-t SECONDS] line [-o OFFSET] FILE REGEX\n";

static void die(const char *what, const char *why) NORETURN;

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "await: %s: %s\n", what, why);
	exit(2);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Looks through the whole lines after *offset and moves it behind them. */
static bool
find_line(const char *path, long *offset, const regex_t *regex)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (f == NULL)
		return false;
	if (fseek(f, *offset, SEEK_SET) == 0) {
		while (!found && (len = getline(&line, &size, f)) > 0 && line[len - 1] == '\n') {
			*offset += (long)len;
			line[len - 1] = '\0';
			found = regexec(regex, line, 0, NULL, 0) == 0;
		}
	}
	if (found)
		puts(line);
	free(line);
	fclose(f);
	return found;
}

/* Watches the folder for a name to come, and the file (once it is there) for bytes to come. */
static void
watch(int fd, const char *path, const char *folder)
{
	if (inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO) < 0)
		die(folder, strerror(errno));
	if (inotify_add_watch(fd, path, IN_MODIFY) < 0 && errno != ENOENT)
		die(path, strerror(errno));
}

/* Returns false when the deadline passes first. */
static bool
wait_event(int fd, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left_ms = deadline_ms - now_ms();
	char events[4096];

	if (left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
		return false;
	return read(fd, events, sizeof(events)) > 0;
}

int
main(int argc, char **argv)
{
	uint64_t timeout_s = TIMEOUT_DEFAULT_S, offset = 0;
	bool line_wanted, found;
	char *folder, *copy;
	int64_t deadline_ms;
	const char *path;
	regex_t regex;
	long position;
	int fd, c;

	while ((c = getopt(argc, argv, "+t:")) != -1) {
		if (c != 't' ||
			str_parse_u64(optarg, strlen(optarg), TIMEOUT_MAX_S, &timeout_s) < 0)
			die("usage", usage);
	}
	if (optind >= argc)
		die("usage", usage);
	line_wanted = strcmp(argv[optind], "line") == 0;
	if (!line_wanted && strcmp(argv[optind], "exists") != 0)
		die("usage", usage);
	optind++;
	while ((c = getopt(argc, argv, "+o:")) != -1) {
		if (c != 'o' || str_parse_u64(optarg, strlen(optarg), INT32_MAX, &offset) < 0)
			die("usage", usage);
	}
	if (argc - optind != (line_wanted ? 2 : 1))
		die("usage", usage);
	path = argv[optind];
	if (line_wanted && regcomp(&regex, argv[optind + 1], REG_EXTENDED | REG_NOSUB) != 0)
		die(argv[optind + 1], "no regular expression");
	copy = xstrdup(path);
	folder = dirname(copy);
	if ((fd = inotify_init1(IN_CLOEXEC)) < 0)
		die("inotify", strerror(errno));
	deadline_ms = now_ms() + (int64_t)timeout_s * 1000;
	position = (long)offset;
	do {
		/* The watch comes before the look, or the event between the two would be lost. */
		watch(fd, path, folder);
		found = line_wanted ? find_line(path, &position, &regex) : access(path, F_OK) == 0;
	} while (!found && wait_event(fd, deadline_ms));
	if (line_wanted)
		regfree(&regex);
	free(copy);
	close(fd);
	return found ? 0 : 1;
}
