/* SPDX-License-Identifier: BSD-2-Clause */
#include "rights.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* include/uapi/linux/capability.h; named here because old headers lack the last two */
#define SYS_ADMIN (1ULL << 21)
#define PERFMON   (1ULL << 38)
#define BPF       (1ULL << 39)

/* The file's text, or an empty one. */
static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
}

static uint64_t effective_capabilities(void)
{
	char text[4096];
	const char *line;

	read_text("/proc/self/status", text, sizeof(text));
	line = strstr(text, "\nCapEff:");
	return line ? strtoull(line + strlen("\nCapEff:"), NULL, 16) : 0;
}

bool rights_suffice(void)
{
	uint64_t held = effective_capabilities();

	return held & SYS_ADMIN || (held & (BPF | PERFMON)) == (BPF | PERFMON);
}

bool rights_are_locked_down(void)
{
	char text[256];

	read_text("/sys/kernel/security/lockdown", text, sizeof(text));
	return strstr(text, "[confidentiality]") != NULL;
}

/* Only the initial user namespace maps every user id to itself. */
bool rights_are_local(void)
{
	unsigned long inside, outside, count;
	char text[4096];

	read_text("/proc/self/uid_map", text, sizeof(text));
	if (sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
		return false;
	return inside != 0 || outside != 0 || count != UINT32_MAX;
}
