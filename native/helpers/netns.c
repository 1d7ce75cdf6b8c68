/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* setns */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* The file that shows the namespace of the thread that opens it (net/ipv4/proc.c). */
#define SNMP "/proc/thread-self/net/snmp"

/* Two lines begin with "Tcp:": names, then numbers in the same order. */
static int find_retrans_segs(char *text, uint64_t *segs)
{
	char *names = strstr(text, "\nTcp: ");
	char *numbers = names ? strstr(names + 1, "\nTcp: ") : NULL;
	char *rest_of_names, *rest_of_numbers, *name, *number;

	if (!numbers)
		return -EPROTO;
	*numbers = '\0';
	numbers[strcspn(numbers + 1, "\n") + 1] = '\0';
	name = strtok_r(names + 1, " ", &rest_of_names);
	number = strtok_r(numbers + 1, " ", &rest_of_numbers);
	while (name && number) {
		if (!strcmp(name, "RetransSegs")) {
			*segs = strtoull(number, NULL, 10);
			return 0;
		}
		name = strtok_r(NULL, " ", &rest_of_names);
		number = strtok_r(NULL, " ", &rest_of_numbers);
	}
	return -EPROTO;
}

static int read_retrans_segs(uint64_t *segs)
{
	char text[8192];
	size_t length = 0;
	ssize_t got;
	int fd = open(SNMP, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += got;
	got = got < 0 ? -errno : 0;
	close(fd);
	text[length] = '\0';
	return got ? (int)got : find_retrans_segs(text, segs);
}

static uint64_t cookie_of_here(void)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length))
			cookie = 0;
		close(fd);
	}
	return cookie;
}

static int read_here(void (*first)(void *), void *of_first, uint64_t *segs, uint64_t *cookie)
{
	*cookie = cookie_of_here();
	if (first)
		first(of_first);
	return read_retrans_segs(segs);
}

static bool same_namespace(int one, int other)
{
	struct stat a, b;

	return !fstat(one, &a) && !fstat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

uint32_t netns_of_here(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat here = {};

	if (fd < 0)
		return 0;
	if (fstat(fd, &here))
		here.st_ino = 0;
	close(fd);
	return here.st_ino;
}

bool netns_has_cookies(void)
{
	return cookie_of_here() != 0;
}

int netns_read(int netns_fd, void (*first)(void *), void *of_first, uint64_t *segs, uint64_t *cookie)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int err;

	if (home < 0)
		return -errno;
	if (same_namespace(netns_fd, home)) { /* takes no rights */
		err = read_here(first, of_first, segs, cookie);
	} else if (setns(netns_fd, CLONE_NEWNET)) {
		err = -errno;
	} else {
		err = read_here(first, of_first, segs, cookie);
		/* refused only if another thread took our rights away meanwhile */
		if (setns(home, CLONE_NEWNET))
			err = -ENOTRECOVERABLE;
	}
	close(home);
	return err;
}
