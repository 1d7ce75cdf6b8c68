/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of the kernel's that is read in C: formats and numbers of tracefs, /proc/net/snmp, /proc/self/status
 * and uid_map, and the verifier's log. Each file that is opened has what comes in, in pieces of any length;
 * opening and reading fail when the input says so.
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>
#include "explain.h"
#include "netns.h"
#include "rights.h"
#include "tracefs.h"

#define FILE_NUMBER 1000000 /* no descriptor has it */

static struct file {
	const uint8_t *at;
	size_t left;
	uint8_t piece;     /* bytes that one read brings at most; 0: all */
	uint8_t fails_in;  /* opens and reads; 0 = never */
	bool is_open;
} file;

static bool fails(void)
{
	if (!file.fails_in || --file.fails_in)
		return false;
	errno = EIO;
	return true;
}

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	MUST(!(flags & O_CREAT));
	if (!strcmp(path, "/proc/thread-self/ns/net")) /* compared, not read */
		return __real_open(path, flags);
	MUST(!file.is_open);
	if (fails())
		return -1;
	file.is_open = true;
	return FILE_NUMBER;
}

ssize_t __wrap_read(int fd, void *out, size_t size);
ssize_t __wrap_read(int fd, void *out, size_t size)
{
	size_t got = file.left < size ? file.left : size;

	MUST(fd == FILE_NUMBER && file.is_open);
	if (fails())
		return -1;
	got = file.piece && got > file.piece ? file.piece : got;
	memcpy(out, file.at, got);
	file.at += got;
	file.left -= got;
	return got;
}

int __wrap_close(int fd);
int __real_close(int fd);
int __wrap_close(int fd)
{
	if (fd != FILE_NUMBER)
		return __real_close(fd);
	MUST(file.is_open);
	file.is_open = false;
	return 0;
}

static void try_formats(void)
{
	uint16_t offsets[4] = { 1, 1, 1, 1 };
	const struct tracefs_field fields[] = {
		{ "skaddr", &offsets[0] }, { "saddr_v6", &offsets[1] }, { "err", &offsets[2] },
		{ "newstate", &offsets[3] },
	};
	int err = tracefs_offsets("/events", "tcp/tcp_retransmit_skb", fields, 4);

	MUST(err == 0 || err == -EIO);
}

static void try_snmp(void)
{
	int here = __real_open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	uint64_t segs = 0, cookie = 0;
	int err;

	MUST(here >= 0);
	err = netns_read(here, NULL, NULL, &segs, &cookie);
	MUST(err == 0 || err == -EIO || err == -EPROTO);
	__real_close(here);
}

static void try_log(struct input *input)
{
	size_t size = input->left;
	char *log = malloc(size + 1);
	const char *line;

	MUST(log);
	take(input, log, size);
	log[size] = '\0';
	line = explain_verifier(log);
	MUST(line && !strchr(line, '\n'));
	free(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	uint8_t what = take_uint8(&input);

	file = (struct file){ .fails_in = take_uint8(&input) % 8, .piece = take_uint8(&input) };
	file.at = input.at;
	file.left = input.left;
	switch (what % 6) {
	case 0:
		try_formats();
		break;
	case 1:
		try_snmp();
		break;
	case 2:
		rights_suffice();
		break;
	case 3:
		rights_are_local();
		break;
	case 4:
		rights_are_locked_down();
		break;
	default:
		try_log(&input);
	}
	MUST(!file.is_open);
	return 0;
}
