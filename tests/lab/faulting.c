/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that fail at the N-th time: preloaded, it stands between a program and libc.
 *
 * A C program says which by fault_set() and asks fault_reached(). A command is told by RETRANS_TEST_FAULT, as
 * KIND:N:ERRNO, and leaves a file of the name RETRANS_TEST_FAULT_REACHED where it made as many calls. There
 * they count from the first call of bpf() on, or from when RETRANS_TEST_FAULT_FROM is opened, so that how
 * Python starts has no part in it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_WRITE 1000 /* in place of an errno: half of it is written */

static char kind[32];
static long nth, calls;
static int error, reached, counting;

void fault_set(const char *which, long position, int number)
{
	counting = 0;
	snprintf(kind, sizeof(kind), "%s", which);
	nth = position;
	error = number;
	calls = reached = 0;
	counting = *which;
}

int fault_reached(void)
{
	counting = 0;
	return reached;
}

static void leave_word(void)
{
	const char *path = getenv("RETRANS_TEST_FAULT_REACHED");
	int fd;

	if (!path)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, 0600);
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* Whether this call is the one; then errno says why it failed. */
static int fails(const char *which)
{
	if (!counting || strcmp(which, kind) || __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) != nth)
		return 0;
	reached = 1;
	leave_word();
	errno = error;
	return 1;
}

__attribute__((constructor)) static void read_order(void)
{
	const char *order = getenv("RETRANS_TEST_FAULT");

	if (order && sscanf(order, "%31[a-z_]:%ld:%d", kind, &nth, &error) != 3)
		abort();
}

/* A command counts from here on; from_file: NULL for the first call of bpf(). */
static void begin(const char *from_file)
{
	const char *from = getenv("RETRANS_TEST_FAULT_FROM");

	if (!counting && *kind && getenv("RETRANS_TEST_FAULT") &&
	    (from ? from_file && !strcmp(from, from_file) : !from_file))
		counting = 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!real)
		real = REAL(syscall);
	if (number == SYS_bpf)
		begin(NULL);
	if ((number == SYS_bpf && fails("bpf")) || (number == SYS_perf_event_open && fails("perf_event_open")))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define FAILING(type, name, which, failed, parameters, arguments) \
	type name parameters \
	{ \
		static type (*real) parameters; \
		if (fails(which)) \
			return failed; \
		if (!real) \
			real = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
		return real arguments; \
	}

FAILING(int, epoll_create1, "epoll_create", -1, (int flags), (flags))
FAILING(int, epoll_ctl, "epoll_ctl", -1, (int e, int op, int fd, struct epoll_event *i), (e, op, fd, i))
FAILING(int, epoll_wait, "epoll_wait", -1, (int e, struct epoll_event *w, int n, int ms), (e, w, n, ms))
FAILING(int, eventfd, "eventfd", -1, (unsigned int count, int flags), (count, flags))
FAILING(int, timerfd_create, "timerfd", -1, (int clock, int flags), (clock, flags))
FAILING(int, fsync, "fsync", -1, (int fd), (fd))
FAILING(int, fdatasync, "fsync", -1, (int fd), (fd))
FAILING(int, ftruncate, "ftruncate", -1, (int fd, off_t size), (fd, size))
FAILING(int, ftruncate64, "ftruncate", -1, (int fd, off64_t size), (fd, size))
FAILING(int, rename, "rename", -1, (const char *from, const char *to), (from, to))
FAILING(int, renameat, "rename", -1, (int a, const char *from, int b, const char *to), (a, from, b, to))
FAILING(ssize_t, read, "read", -1, (int fd, void *data, size_t size), (fd, data, size))
FAILING(ssize_t, pread, "read", -1, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
FAILING(ssize_t, pread64, "read", -1, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
FAILING(FILE *, fopen, "open", NULL, (const char *path, const char *mode), (path, mode))
FAILING(FILE *, fopen64, "open", NULL, (const char *path, const char *mode), (path, mode))

#define OPENING(name) \
	int name(const char *path, int flags, ...) \
	{ \
		static int (*real)(const char *, int, ...); \
		va_list list; \
		int mode; \
		va_start(list, flags); \
		mode = flags & O_CREAT ? va_arg(list, int) : 0; \
		va_end(list); \
		begin(path); \
		if (fails("open")) \
			return -1; \
		if (!real) \
			real = REAL(name); \
		return real(path, flags, mode); \
	}

OPENING(open)
OPENING(open64)

/* How much of it is written, or -1. Only files and pipes that hold output: a wake-up is none. */
static ssize_t share(int fd, size_t size)
{
	struct stat about;

	if (!counting || strcmp(kind, "write") || fd == 2 || fstat(fd, &about) ||
	    !(S_ISREG(about.st_mode) || S_ISFIFO(about.st_mode)) || !fails("write"))
		return size;
	return error == SHORT_WRITE ? (ssize_t)(size + 1) / 2 : -1;
}

#define WRITING(name, parameters, arguments) \
	ssize_t name parameters \
	{ \
		static ssize_t (*real) parameters; \
		ssize_t part = share(fd, size); \
		if (part < 0) \
			return -1; \
		size = part; \
		if (!real) \
			real = REAL(name); \
		return real arguments; \
	}

WRITING(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITING(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITING(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static long live;   /* allocations: mallinfo() also has those that were freed, and kept for the next */
static long mapped; /* bytes, of those who ask for mappings themselves */

long fault_live(void)
{
	return live;
}

long fault_mapped(void)
{
	return mapped;
}

#define MAPPING(name, offset) \
	void *name(void *at, size_t size, int protection, int flags, int fd, offset from) \
	{ \
		static void *(*real)(void *, size_t, int, int, int, offset); \
		void *made; \
		if (fails("mmap")) \
			return MAP_FAILED; \
		if (!real) \
			real = REAL(name); \
		made = real(at, size, protection, flags, fd, from); \
		if (made != MAP_FAILED && !(flags & MAP_FIXED)) \
			__atomic_add_fetch(&mapped, (size + 4095) & ~4095UL, __ATOMIC_RELAXED); \
		return made; \
	}

MAPPING(mmap, off_t)
MAPPING(mmap64, off64_t)

int munmap(void *at, size_t size)
{
	static int (*real)(void *, size_t);

	if (!real)
		real = REAL(munmap);
	__atomic_sub_fetch(&mapped, (size + 4095) & ~4095UL, __ATOMIC_RELAXED);
	return real(at, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (fails("thread"))
		return error;
	if (!real)
		real = REAL(pthread_create);
	return real(thread, how, run, with);
}

static void *counted(void *made)
{
	if (made)
		__atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
	return made;
}

void *malloc(size_t size)
{
	return fails("malloc") ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return fails("malloc") ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	void *made;

	if (fails("malloc"))
		return NULL;
	made = __libc_realloc(old, size);
	if (old && !size && !made)
		__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
	return old ? made : counted(made);
}

void free(void *old)
{
	if (old)
		__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
	__libc_free(old);
}
