// SPDX-License-Identifier: GPL-2.0
/*
 * For FRR in virtual time. It waits for timers in whole milliseconds, rounded down, and asks without
 * waiting in the last one. Where computation takes no time, that is thousands of times. So it waits a little.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	static const struct timespec little = { .tv_nsec = 20000 };
	static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

	if (!real)
		real = dlsym(RTLD_NEXT, "ppoll");
	if (timeout && !timeout->tv_sec && !timeout->tv_nsec)
		timeout = &little;
	return real(fds, count, timeout, mask);
}
