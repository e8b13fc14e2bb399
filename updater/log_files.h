/*
 * log_files: the files that a mail log is made of: the log itself, and what was rotated away of it.
 *
 * They are found and opened here, by whoever may; reading them (log_source.h) is another's work.
 */
#ifndef UPDATER_LOG_FILES_H
#define UPDATER_LOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct error;

/* A year of daily ones; each is open while they are read. */
#define LOG_FILES_MAX 400

/* What was read, and what was not and why: nothing is passed over in silence. */
struct log_said {
	char **read; /* owned, as are the strings: "/var/log/mail.log.1", "the journal" */
	size_t read_count;
	char **skipped; /* "/var/log/mail.log.3.xz: compressed by another program than gzip" */
	size_t skipped_count;
};

/* Both copy the text. */
void log_said_read(struct log_said *said, const char *name);
void log_said_skip(struct log_said *said, const char *why);
void log_said_clear(struct log_said *said);

/* A log, or what was rotated away of it. */
struct log_file {
	char *path; /* owned */
	int fd;     /* owned: what it is called may change while it is read */
	dev_t device;
	ino_t inode;
	int64_t written_s;
	uint64_t number; /* of "mail.log.2.gz": 2; the larger, the older; of "mail.log" 0 */
	bool live;       /* the log itself: nothing is appended to its name */
	bool foreign;    /* compressed, but not by gzip */
};

struct log_files {
	struct log_file *at; /* owned; oldest first */
	size_t count;
	size_t cut; /* so many more there were, all older */
};

/* The log and what was rotated away of it, as far as it was written since then; none is no error. -1: the log is
 * there, and cannot be read. files must be cleared in any case. */
int log_files_find(const char *path, int64_t since_s, struct log_files *files, struct log_said *said,
	struct error *err) MUST_CHECK;
/* One file that is open already; the descriptor belongs to files from then on. */
void log_files_take(int fd, const char *path, int64_t written_s, struct log_files *files);
void log_files_clear(struct log_files *files);

#endif
