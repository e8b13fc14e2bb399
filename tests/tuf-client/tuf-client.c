/*
 * tuf-client: the updater's TUF client behind the command protocol of the public conformance suite
 * (theupdateframework/tuf-conformance).
 *
 *	tuf-client --metadata-dir DIR init ROOTFILE
 *	tuf-client --metadata-dir DIR --metadata-url URL refresh
 *	tuf-client --metadata-dir DIR --metadata-url URL --target-dir DIR --target-base-url URL
 *		--target-name NAME... download
 *
 * Exit 0 or 1, nothing else. The clock is the system's, which the suite fakes.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/tuf_client.h"

#define TARGETS_MAX 64
/* The suite's targets are a few bytes. */
#define TARGET_MAX ((size_t)16 * 1024 * 1024)

struct call {
	const char *metadata_dir, *target_dir;
	char *metadata_url, *target_url; /* with a slash at the end; owned */
	const char *targets[TARGETS_MAX];
	size_t target_count;
};

static char *
with_slash(const char *url)
{
	size_t len = strlen(url);

	return xasprintf("%s%s", url, len > 0 && url[len - 1] == '/' ? "" : "/");
}

/* The client keeps the anchor that it was begun with apart from root.json, which moves on. */
static char *
anchor_of(const struct call *call)
{
	return xasprintf("%s/.initial-root", call->metadata_dir);
}

static int
init(const struct call *call, const char *root, struct error *err)
{
	struct tuf_client *client = NULL;
	char *anchor = anchor_of(call);
	struct buf text;
	int rc = -1;

	buf_init(&text, TUF_ROOT_MAX);
	if (mkdir(call->metadata_dir, 0777) < 0 && errno != EEXIST) {
		error_set_errno(err, ERROR_TEMP, "%s", call->metadata_dir);
		goto out;
	}
	if (file_read(root, &text, err) < 0 ||
		file_replace(anchor, text.data, text.len, 0644, err) < 0)
		goto out;
	rc = tuf_client_open(call->metadata_dir, anchor, (int64_t)time(NULL), &client, err);
out:
	tuf_client_free(client);
	buf_clear(&text);
	free(anchor);
	return rc;
}

/* Escaped to one file name, so that no target can lie outside the folder. */
static char *
target_path(const struct call *call, const char *name)
{
	char *path = xasprintf("%s/%s", call->target_dir, name);

	for (char *p = path + strlen(call->target_dir) + 1; *p != '\0'; p++)
		if (*p == '/')
			*p = '%';
	return path;
}

static int
collect(void *arg, const void *data, size_t len, struct error *err)
{
	if (buf_add(arg, data, len) < 0)
		return error_set(err, ERROR_SECURITY, "larger than %zu bytes", TARGET_MAX);
	return 0;
}

static int
download_one(const struct call *call, struct tuf_client *client, struct fetch *fetch,
	const char *name, struct error *err)
{
	char *path = target_path(call, name);
	struct tuf_file file;
	struct buf text;
	int rc;

	buf_init(&text, TARGET_MAX);
	rc = tuf_client_find(client, fetch, call->metadata_url, name, &file, err);
	if (rc == 0)
		rc = error_set(err, ERROR_INPUT, "%s: the repository does not have it", name);
	if (rc < 0)
		goto out;
	rc = 0;
	/* What is there already and right is not touched. */
	if (tuf_check_path(&file, path, err) == 0)
		goto out;
	*err = (struct error){0};
	rc = tuf_client_download(client, fetch, call->target_url, name, &file, collect, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, 0644, err);
out:
	buf_clear(&text);
	free(path);
	return rc;
}

static int
update(const struct call *call, bool download, struct error *err)
{
	static const struct fetch_options options = {
		.connect_timeout_s = 5,
		.timeout_s = 30,
		.low_speed_bytes_s = 1,
		.low_speed_time_s = 10,
	};
	struct tuf_client *client = NULL;
	struct fetch *fetch = NULL;
	char *anchor = anchor_of(call);
	int rc = -1;

	if (fetch_new(&options, &fetch, err) < 0 ||
		tuf_client_open(call->metadata_dir, anchor, (int64_t)time(NULL), &client, err) <
			0 ||
		tuf_client_refresh(client, fetch, call->metadata_url, err) < 0)
		goto out;
	rc = 0;
	for (size_t i = 0; download && i < call->target_count && rc == 0; i++)
		rc = download_one(call, client, fetch, call->targets[i], err);
out:
	tuf_client_free(client);
	fetch_free(fetch);
	free(anchor);
	return rc;
}

static int
run(int argc, char **argv, struct call *call, struct error *err)
{
	static const struct option options[] = {
		{"metadata-dir", required_argument, NULL, 'm'},
		{"metadata-url", required_argument, NULL, 'u'},
		{"target-dir", required_argument, NULL, 'd'},
		{"target-base-url", required_argument, NULL, 'b'},
		{"target-name", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	const char *command;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			call->metadata_dir = optarg;
			break;
		case 'u':
			free(call->metadata_url);
			call->metadata_url = with_slash(optarg);
			break;
		case 'd':
			call->target_dir = optarg;
			break;
		case 'b':
			free(call->target_url);
			call->target_url = with_slash(optarg);
			break;
		case 't':
			if (call->target_count == TARGETS_MAX)
				return error_set(err, ERROR_CONFIG, "too many targets");
			call->targets[call->target_count++] = optarg;
			break;
		default:
			return error_set(err, ERROR_CONFIG, "unknown option");
		}
	}
	command = optind < argc ? argv[optind] : "";
	if (call->metadata_dir == NULL)
		return error_set(err, ERROR_CONFIG, "--metadata-dir is missing");
	if (strcmp(command, "init") == 0 && optind + 1 < argc)
		return init(call, argv[optind + 1], err);
	if (strcmp(command, "refresh") == 0 && call->metadata_url != NULL)
		return update(call, false, err);
	if (strcmp(command, "download") == 0 && call->metadata_url != NULL &&
		call->target_dir != NULL && call->target_url != NULL)
		return update(call, true, err);
	return error_set(err, ERROR_CONFIG, "want init ROOTFILE, refresh or download");
}

int
main(int argc, char **argv)
{
	struct call call = {0};
	struct error err = {0};
	int rc = run(argc, argv, &call, &err);

	if (rc < 0)
		fprintf(stderr, "tuf-client: %s\n", err.text);
	free(call.metadata_url);
	free(call.target_url);
	return rc < 0;
}
