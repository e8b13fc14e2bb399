/*
 * setup_files: changes of configuration files that can be shown, made, checked and undone.
 *
 * What setup adds to a file stands between two marks, so that --revert finds it whatever else has
 * been written since. All files of a plan are changed, or none: where the mail server's own check
 * does not like the result, every file is as it was.
 *
 *	setup_files_add(&f, path, after, block, fresh)    one per file
 *	setup_files_finish(&f, settings, options, check, arg, reload, err)
 *	setup_files_clear(&f)
 */
#ifndef UPDATER_SETUP_FILES_H
#define UPDATER_SETUP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"

struct buf;
struct error;
struct setup_options;
struct update_settings;

/* Octets of a configuration file that are read. */
#define SETUP_FILE_MAX ((size_t)4 * 1024 * 1024)
#define SETUP_FILES_MAX 8

struct setup_file {
	char *path, *before, *after; /* owned; before NULL: there was none; after NULL: it goes */
	char *added;                 /* owned: what is new, to be shown; NULL: it is taken away */
};

struct setup_files {
	struct setup_file files[SETUP_FILES_MAX];
	size_t count;
};

/* The file's text; NULL with err set: not there, or not to be read. The caller frees it. */
char *setup_file_read(const char *path, struct error *err) MUST_CHECK;
/* The same; "" where there is no such file. */
char *setup_file_read_if_exists(const char *path, struct error *err) MUST_CHECK;

/* Replaces the file's text, but neither its mode nor its owner; behind a symbolic link, the file that
 * it leads to. */
int setup_file_write(const char *path, const char *text, struct error *err) MUST_CHECK;

/* Text without what setup has added. comment: how the file's comments begin. The caller frees it. */
char *setup_text_without_blocks(const char *text, const char *comment) RETURNS_NONNULL;
/* A block between its marks, ending in a new line. The caller frees it. */
char *setup_block(const char *comment, const char *lines) RETURNS_NONNULL;
/* text with what is inserted before the octet at. The caller frees it. */
char *setup_text_insert(const char *text, size_t at, const char *block) RETURNS_NONNULL;

/* Notes a change; all strings but path are taken over. No change where before and after agree. */
void setup_files_add(
	struct setup_files *f, const char *path, char *before, char *after, char *added);
/* Changes the files, each after a backup "PATH.preload25-TIME" where there is one to keep; says on
 * options->out what was kept where. After a failure all files are as they were. */
int setup_files_put(const struct setup_files *f, const struct setup_options *options,
	struct error *err) MUST_CHECK;
/* Puts back what they were; what cannot be is said in the log. */
void setup_files_undo(const struct setup_files *f);
void setup_files_clear(struct setup_files *f);

/* The end of every setup by files: tells the plan, and with options->apply or options->revert does
 * it, the former with an empty map where there is none. check: has the mail server read the result;
 * when it fails all files are put back. reload: the command that the administrator
 * is to run then. 0; 1 options->check, and something is to be done; -1. */
int setup_files_finish(const struct setup_files *f, const struct update_settings *s,
	const struct setup_options *options, int (*check)(void *arg, struct error *err), void *arg,
	const char *reload, struct error *err) MUST_CHECK;

#endif
