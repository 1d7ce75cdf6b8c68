/* SPDX-License-Identifier: BSD-2-Clause */
/* exercise MODE ATTACH BUFFER BTF|- CLIENT_NETNS SERVER_NETNS NUMBER */
#include "exercise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_NETNS 4097 /* that a tracer keeps apart, and the rest */

static const struct { const char *name; void (*run)(struct task *); } modes[] = {
	{ "whole", whole }, { "wrong", wrong }, { "threads", threads },
	{ "cycles", cycles }, { "soak", soak }, { "rights", rights },
};

_Noreturn void failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s (errno: %s)\n", file, line, what, strerror(errno));
	_exit(99); /* no leak is of interest any more */
}

struct tcpretrans *open_one(struct task *task, const struct tcpretrans_opts *given)
{
	struct tcpretrans_opts opts = *given;
	struct tcpretrans *tracer = (void *)task; /* to see that it is overwritten */
	struct link_filter made;
	int err;

	link_filter_fill(&made, task, 0);
	opts.size = sizeof(opts);
	opts.error = task->error;
	opts.error_size = sizeof(task->error);
	opts.attach = task->attach;
	opts.buffer = task->buffer;
	opts.btf = task->btf;
	opts.filter = opts.filter ? opts.filter : &made.filter;
	err = tcpretrans_open(&opts, &tracer);
	if (err)
		fprintf(stderr, "open: %d: %s\n", err, task->error);
	MUST(!err && tracer);
	return tracer;
}

void link_filter_fill(struct link_filter *made, const struct task *task, unsigned variant)
{
	memset(made, 0, sizeof(*made));
	made->filter = (struct tcpretrans_filter){ .only = &made->only, .never = &made->never };
	made->only.size = sizeof(made->only);
	made->never.size = sizeof(made->never);
	made->prefixes[0] = (struct tcpretrans_prefix){ { 10, 77, 0, 99 }, 4, 24, {} };
	made->prefixes[1] = (struct tcpretrans_prefix){ { 0xfd, 0x77, [15] = 9 }, 6, 64, {} };
	made->only.remote = made->prefixes;
	made->only.n_remote = 2;
	if (task->attach != TCPRETRANS_ATTACH_TP) {
		memcpy(made->netns, task->netns, sizeof(made->netns));
		made->only.netns = made->netns;
		made->only.n_netns = SIDES;
		made->nobody[0] = 4000000001U;
		made->never.uids = made->nobody;
		made->never.n_uids = variant & 1;
		made->no_cgroup = 1ULL << 60;
		made->never.cgroups = &made->no_cgroup;
		made->never.n_cgroups = variant >> 1 & 1;
	}
	made->nobody[1] = 4000000000U;
	made->never.pids = made->nobody + 1;
	made->never.n_pids = variant >> 2 & 1;
	made->ports[0] = (struct tcpretrans_range){ 1, 32767 };
	made->ports[1] = (struct tcpretrans_range){ 32768, 65535 };
	made->only.local_ports = made->ports;
	made->only.n_local_ports = variant & 2;
}

void look_at(struct seen *seen, const struct tcpretrans_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		MUST(events[i].reason < 8 && events[i].family);
		seen->events++;
		seen->failed += events[i].err != 0;
		seen->segs += events[i].known & TCPRETRANS_KNOWN_SEGS ? events[i].segs : 0;
		seen->reasons[events[i].reason]++;
	}
}

int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int found = 0;

	MUST(folder);
	while (readdir(folder))
		found++;
	closedir(folder);
	return found;
}

void read_kernel(struct task *task, struct tcpretrans *tracer, uint64_t segs[SIDES])
{
	uint64_t cookie;

	for (int side = 0; side < SIDES; side++)
		MUST(!tcpretrans_kernel_segs(tracer, task->netns_fds[side], &segs[side], &cookie));
}

int64_t unexplained(struct task *task, struct tcpretrans *tracer, const uint64_t before[SIDES])
{
	struct tcpretrans_netns *rows = calloc(MOST_NETNS, sizeof(*rows)); /* others' namespaces too */
	uint64_t after[SIDES];
	int64_t left = 0;
	int found;

	MUST(rows);
	read_kernel(task, tracer, after);
	found = tcpretrans_netns(tracer, rows, MOST_NETNS);
	MUST(found >= 0 && found <= MOST_NETNS);
	for (int side = 0; side < SIDES; side++) {
		left += after[side] - before[side];
		for (int i = 0; i < found; i++)
			if (rows[i].netns == task->netns[side])
				left -= rows[i].segs + rows[i].failed_segs + rows[i].lost_segs +
					rows[i].filtered_segs + rows[i].skipped_segs + rows[i].limited_segs;
	}
	free(rows);
	return left;
}

bool told_to_answer(bool *over)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[64];
	ssize_t got;

	if (poll(&in, 1, 0) <= 0)
		return false;
	got = read(STDIN_FILENO, line, sizeof(line));
	*over = got <= 0;
	return got > 0;
}

static void open_netns(struct task *task, int side, const char *path)
{
	struct stat status;

	task->netns_fds[side] = open(path, O_RDONLY | O_CLOEXEC);
	MUST(task->netns_fds[side] >= 0 && !fstat(task->netns_fds[side], &status));
	task->netns[side] = status.st_ino;
}

int main(int argc, char **argv)
{
	struct task task = {};
	bool known = false;

	MUST(argc == 8);
	task.attach = strtoul(argv[2], NULL, 10);
	task.buffer = strtoul(argv[3], NULL, 10);
	task.btf = strcmp(argv[4], "-") ? argv[4] : NULL;
	open_netns(&task, 0, argv[5]);
	open_netns(&task, 1, argv[6]);
	task.number = strtoul(argv[7], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(argv[1], modes[i].name)) {
			known = true;
			modes[i].run(&task);
		}
	MUST(known);
	close(task.netns_fds[0]);
	close(task.netns_fds[1]);
	return 0;
}
