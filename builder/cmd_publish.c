#include <inttypes.h>
#include <stdio.h>

#include "builder/authority_init.h"
#include "builder/command.h"
#include "builder/publish.h"
#include "builder/settings.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "export/repository.h"
#include "export/repository_verify.h"

static void
report(const struct published *p)
{
	struct buf summary;

	if (p->renewed) {
		printf("no new list; the published one is signed anew, commit %.12s\n", p->commit);
		return;
	}
	if (p->waits) {
		printf("list %" PRId64 " waits for signatures; the published one stays\n",
			p->build.version);
		return;
	}
	buf_init(&summary, 200);
	build_summary(&p->build, &summary);
	printf("list %" PRId64 " is published: %s, commit %.12s\n", p->build.version,
		buf_str(&summary), p->commit);
	buf_clear(&summary);
}

static void
print_problem(void *arg UNUSED, const char *problem)
{
	printf("%s\n", problem);
}

/* The answer to --verify. */
static int
verify(const struct settings *s, int64_t now_s, struct error *err)
{
	struct repository_verdict v;

	if (repository_verify(s->repository.path, now_s, print_problem, NULL, &v, err) < 0)
		return -1;
	if (v.problems == 0)
		printf("%" PRId64 " %s: all is well\n", v.commits,
			v.commits == 1 ? "commit" : "commits");
	else
		printf("%" PRId64 " %s in %" PRId64 " %s\n", v.problems,
			v.problems == 1 ? "problem" : "problems", v.commits,
			v.commits == 1 ? "commit" : "commits");
	return v.security ? 4 : v.problems > 0 ? 1 : 0;
}

/* The root first, because it says who signs the rest. */
static int
publish_all(struct app *app, struct repository *repository, const char *minisign_key, int64_t now_s,
	struct error *err)
{
	char commit[GIT_COMMIT_SIZE];
	enum repository_root root;
	struct published done;
	struct store *store;

	if (app_store(app, &store, err) < 0 ||
		repository_tend_root(repository, now_s, &root, commit, err) < 0)
		return -1;
	switch (root) {
	case REPOSITORY_ROOT_SAME:
		break;
	case REPOSITORY_ROOT_NEW:
		printf("root %" PRId64 " is published, commit %.12s\n",
			tuf_meta_version(repository_meta(repository, TUF_ROLE_ROOT)), commit);
		break;
	case REPOSITORY_ROOT_BLOCKED:
		printf("a new root waits until the targets are signed with its keys; the published "
		       "list stays until then\n");
		return repository_renew(repository, REPOSITORY_ONLINE, now_s, commit, err);
	}
	if (publish_next(store, repository, minisign_key, now_s, &done, err) < 0)
		return -1;
	report(&done);
	return 0;
}

static int
publish_timestamp(struct repository *repository, int64_t now_s, struct error *err)
{
	const struct tuf_meta *timestamp;
	char commit[GIT_COMMIT_SIZE];
	char expires[CLOCK_TEXT_SIZE];

	if (repository_renew(repository, REPOSITORY_TIMESTAMP, now_s, commit, err) < 0)
		return -1;
	timestamp = repository_meta(repository, TUF_ROLE_TIMESTAMP);
	clock_format(tuf_meta_expires(timestamp), expires);
	printf("timestamp %" PRId64 " is published, good until %s, commit %.12s\n",
		tuf_meta_version(timestamp), expires, commit);
	return 0;
}

int
cmd_publish(struct app *app, const struct cli_call *call, struct error *err)
{
	const bool timestamp = cli_flag(call, "timestamp");
	const struct settings *s;
	struct repository_options options;
	struct repository *repository;
	int rc;

	if (app_settings(app, false, &s, err) < 0)
		return -1;
	if (cli_flag(call, "verify"))
		return verify(s, clock_now(&app->clock), err);
	authority_repository_options(
		s, timestamp ? AUTHORITY_TIMESTAMP_KEYS : AUTHORITY_PUBLISHING_KEYS, &options);
	options.adopt = cli_flag(call, "adopt");
	if (repository_open(&options, &repository, err) < 0)
		return -1;
	rc = timestamp ? publish_timestamp(repository, clock_now(&app->clock), err)
		       : publish_all(app, repository, s->repository.minisign_key,
				 clock_now(&app->clock), err);
	if (rc == 0) {
		rc = repository_push(repository, err);
		if (rc == 0 && options.remote_count > 0)
			printf("pushed to %zu %s\n", options.remote_count,
				options.remote_count == 1 ? "remote" : "remotes");
	}
	repository_close(repository);
	return rc;
}
