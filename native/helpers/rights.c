/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* setresuid */
#include "rights.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* named here because old headers lack the last two */
#define SYS_ADMIN (1ULL << 21)
#define PERFMON   (1ULL << 38)
#define BPF       (1ULL << 39)

struct capabilities {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

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

/* Its number is fixed (include/linux/proc_ns.h). In doubt it is the first. */
bool rights_see_all_processes(void)
{
	char link[64];
	ssize_t length = readlink("/proc/self/ns/pid", link, sizeof(link) - 1);

	if (length < 0)
		return true;
	link[length] = '\0';
	return !strcmp(link, "pid:[4026531836]");
}

static int get_capabilities(struct capabilities *now)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct halves[2];

	if (syscall(SYS_capget, &header, halves))
		return -errno;
	now->effective = (uint64_t)halves[1].effective << 32 | halves[0].effective;
	now->permitted = (uint64_t)halves[1].permitted << 32 | halves[0].permitted;
	now->inheritable = (uint64_t)halves[1].inheritable << 32 | halves[0].inheritable;
	return 0;
}

/* Of this thread. */
static int set_capabilities(const struct capabilities *wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct halves[2] = {
		{ .effective = wanted->effective, .permitted = wanted->permitted,
		  .inheritable = wanted->inheritable },
		{ .effective = wanted->effective >> 32, .permitted = wanted->permitted >> 32,
		  .inheritable = wanted->inheritable >> 32 },
	};

	return syscall(SYS_capset, &header, halves) ? -errno : 0;
}

/* No such descriptor: EBADF, where the kernel gets as far as looking for it. */
static bool bpf_calls_allowed(void)
{
	uint64_t key = 0, value;

	if (bpf_map_lookup_elem(-1, &key, &value) && errno == EPERM)
		return false;
	return bpf_iter_create(-1) >= 0 || errno != EPERM;
}

static bool allowed_with(const struct capabilities *held, uint64_t only)
{
	const struct capabilities fewer = { only, held->permitted, held->inheritable };
	bool allowed;

	if (only & ~held->permitted || set_capabilities(&fewer))
		return false;
	allowed = bpf_calls_allowed();
	set_capabilities(held); /* they are permitted, so it cannot fail */
	return allowed;
}

uint64_t rights_lasting(void)
{
	const uint64_t bpf = prctl(PR_CAPBSET_READ, 39, 0, 0, 0) < 0 ? SYS_ADMIN : BPF;
	struct capabilities held;

	if (get_capabilities(&held))
		return bpf;
	if (allowed_with(&held, 0))
		return 0;
	return allowed_with(&held, bpf) || !(held.permitted & SYS_ADMIN) ? bpf : SYS_ADMIN;
}

static bool has_other_threads(void)
{
	char text[4096];
	const char *line;

	read_text("/proc/self/status", text, sizeof(text));
	line = strstr(text, "\nThreads:");
	return !line || strtol(line + strlen("\nThreads:"), NULL, 10) != 1;
}

static bool is_already(uid_t uid, gid_t gid)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	return !getresuid(&real, &effective, &saved) && real == uid && effective == uid && saved == uid &&
	       !getresgid(&real_group, &effective_group, &saved_group) && real_group == gid &&
	       effective_group == gid && saved_group == gid;
}

static int become(uid_t uid, gid_t gid)
{
	if (is_already(uid, gid)) {
		setgroups(0, NULL); /* refused to who had no right to choose them either */
		return 0;
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
		return -errno;
	return 0;
}

/* What a program that is executed from here might be given; only CAP_SETPCAP may narrow that, and
 * without it no_new_privs alone sees to it. */
static void empty_bounding_set(void)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

int rights_drop(uint32_t uid, uint32_t gid)
{
	const uint64_t lasting = rights_lasting();
	struct capabilities held;
	int err;

	if (uid == UINT32_MAX || gid == UINT32_MAX) /* to the kernel: leave it as it is */
		return -EINVAL;
	if (has_other_threads())
		return -EBUSY;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	err = become(uid, gid) ?: get_capabilities(&held);
	if (err)
		return err;
	held.effective = held.permitted; /* which becoming another user put out of effect */
	err = set_capabilities(&held);
	empty_bounding_set();
	held.effective = held.permitted &= lasting;
	held.inheritable = 0;
	err = err ?: set_capabilities(&held);
	if (!err && uid && !setresuid(-1, 0, -1)) /* what for, if that works? */
		return -ENOTRECOVERABLE;
	return err;
}
