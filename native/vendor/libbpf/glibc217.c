/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions behind glibc217.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stat;

/* On 64-bit machines the kernel fills the same struct stat that user space sees. */
_Static_assert(sizeof(long) == 8, "retrans_fstat needs a 64-bit machine");

int retrans_fstat(int fd, struct stat *st)
{
	return (int)syscall(SYS_fstat, fd, st);
}

/* What is left to read of the caller's memory. */
struct cursor {
	const char *pos;
	size_t      left;
};

static ssize_t cursor_read(void *cookie, char *buf, size_t size)
{
	struct cursor *cursor = cookie;
	size_t n = size < cursor->left ? size : cursor->left;

	memcpy(buf, cursor->pos, n);
	cursor->pos += n;
	cursor->left -= n;
	return (ssize_t)n;
}

static int cursor_close(void *cookie)
{
	free(cookie);
	return 0;
}

/* Reading only, which is all that libbpf does with it. */
FILE *retrans_fmemopen(void *buf, size_t size, const char *mode)
{
	const cookie_io_functions_t reader = { .read = cursor_read, .close = cursor_close };
	struct cursor *cursor;
	FILE *file;

	if (mode[0] != 'r' || strchr(mode, '+')) {
		errno = EINVAL;
		return NULL;
	}
	cursor = malloc(sizeof(*cursor));
	if (!cursor)
		return NULL;
	*cursor = (struct cursor){ .pos = buf, .left = size };
	file = fopencookie(cursor, mode, reader);
	if (!file)
		free(cursor);
	return file;
}
