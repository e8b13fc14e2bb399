#include "common/descriptors.h"

#include <stdlib.h>
#include <sys/resource.h>

static struct rlimit
get(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort(); /* Linux refuses only a bad address or name */
	return limit;
}

void
descriptors_raise(void)
{
	struct rlimit limit = get();

	limit.rlim_cur = limit.rlim_max;
	/* Kernels refuse a hard limit above their own highest number; then the old one stays. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t
descriptors_limit(void)
{
	struct rlimit limit = get();

	return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
