/*
 * skewed_clock: lets hours pass in no time, for everything in the program that includes it: libevent's
 * timers, libunbound's caches. To be included once.
 */
#ifndef TESTS_UNIT_SKEWED_CLOCK_H
#define TESTS_UNIT_SKEWED_CLOCK_H

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_long skew_s;

/* These stand in place of the C library's, also for the shared libraries of the program. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	long rc = syscall(SYS_clock_gettime, clock, now);

	if (rc == 0)
		now->tv_sec += atomic_load(&skew_s);
	return (int)rc;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone UNUSED)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return -1;
	*now = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return 0;
}

static void
pass_time(long seconds)
{
	(void)atomic_fetch_add(&skew_s, seconds);
}

#endif
