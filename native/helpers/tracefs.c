/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *const PLACES[] = {
	"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
	"/host/sys/kernel/tracing", "/host/sys/kernel/debug/tracing",
};

int tracefs_explain_closed(const struct explain *why)
{
	return explain(why, -EACCES, "tracefs is mounted, but closed to this user; run as root, or have it "
		       "opened for a group that this user is in "
		       "(mount -o remount,mode=750,gid=GROUP /sys/kernel/tracing)");
}

/*
 * 0 or -errno. Unlike access() it counts the capabilities that this process has. Below /host anything could
 * lie: only the kernel's own tells what is true, and never lets a reader wait.
 */
static int try_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	struct statfs status;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &status))
		err = -errno;
	else if (status.f_type != TRACEFS_MAGIC)
		err = -ENOENT;
	close(fd);
	return err;
}

int tracefs_find(char *events, size_t size, const struct explain *why)
{
	bool closed = false;

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(*PLACES); i++) {
		int err;

		snprintf(events, size, "%s/events", PLACES[i]);
		err = try_folder(events);
		if (!err || err == -EMFILE || err == -ENFILE)
			return err;
		closed = closed || err == -EACCES || err == -EPERM;
	}
	if (closed)
		return tracefs_explain_closed(why);
	return explain(why, -EOPNOTSUPP, "no tracefs is mounted; mount it "
		       "(mount -t tracefs tracefs /sys/kernel/tracing), or in a container give it the "
		       "host's");
}

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int err;

	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	err = got < 0 ? -errno : 0;
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return err;
}

/* A line of the file: "field:__u8 saddr[4];	offset:34;	size:4;	signed:0;" */
static uint16_t offset_of(const char *format, const char *field)
{
	size_t length = strlen(field);
	const char *line = format;

	while ((line = strstr(line, "field:"))) {
		const char *end = strchr(line, ';');
		const char *name = end;

		if (!end)
			break;
		while (name > line && name[-1] != ' ')
			name--;
		if (!strncmp(name, field, length) && (name[length] == ';' || name[length] == '[')) {
			const char *offset = strstr(end, "offset:");

			return offset ? strtoul(offset + strlen("offset:"), NULL, 10) : 0;
		}
		line = end;
	}
	return 0;
}

int tracefs_offsets(const char *events, const char *name, const struct tracefs_field *fields, int n)
{
	char path[PATH_MAX], format[8192];
	int err;

	snprintf(path, sizeof(path), "%s/%s/format", events, name);
	err = read_file(path, format, sizeof(format));
	for (int i = 0; !err && i < n; i++)
		*fields[i].offset = offset_of(format, fields[i].name);
	return err;
}

int tracefs_open(const char *events, const char *name)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .sample_period = 1, .wakeup_events = 1,
	};
	char path[PATH_MAX], text[32];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s/id", events, name);
	err = read_file(path, text, sizeof(text));
	if (err)
		return err;
	attr.config = strtoull(text, NULL, 10);
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
