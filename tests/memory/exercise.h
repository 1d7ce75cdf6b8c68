/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that drives the whole public API, to be built with sanitizers and run under valgrind. What is
 * sent again while it runs, the tests make; it answers in lines on stdout, and ends when stdin does. */
#ifndef EXERCISE_H
#define EXERCISE_H

#include <stdbool.h>
#include <stdio.h>
#include "../../native/libtcpretrans.h"

/* What has to hold; a program that goes on after that would prove nothing. */
#define MUST(what) do { if (!(what)) failed(__FILE__, __LINE__, #what); } while (0)

#define SIDES 2 /* of the link: client and server */

/* From the command line. */
struct task {
	uint32_t attach;
	uint32_t buffer;
	const char *btf;            /* or NULL */
	int netns_fds[SIDES];
	uint32_t netns[SIDES];      /* their inodes */
	unsigned long number;       /* a mode's own */
	char error[512];            /* what the latest open said */
};

/* What was seen. */
struct seen {
	uint64_t events;
	uint64_t failed; /* of these, attempts that failed */
	uint64_t segs;
	uint64_t reasons[8];
	uint64_t lines;
};

/* Lines of JSON, with labels; the lines themselves are checked for their number only. */
struct lines {
	struct tcpretrans_ndjson *writer;
	char bytes[96 << 10];
	uint64_t written;
	uint64_t labels;
};

/* Conditions that let the link's events through, and what they point to. */
struct link_filter {
	struct tcpretrans_filter filter;
	struct tcpretrans_conditions only, never;
	struct tcpretrans_prefix prefixes[2];
	struct tcpretrans_range ports[2];
	uint32_t netns[SIDES], nobody[2];
	uint64_t no_cgroup;
};

_Noreturn void failed(const char *file, int line, const char *what);

/* One that must open, with the task's way, buffer and filter, beside what `opts` holds. */
struct tcpretrans *open_one(struct task *task, const struct tcpretrans_opts *opts);

/* `variant` changes what makes no difference: the same events pass. Where there are no namespaces
 * (enum tcpretrans_attach: TP), by addresses. */
void link_filter_fill(struct link_filter *made, const struct task *task, unsigned variant);

void look_at(struct seen *seen, const struct tcpretrans_event *events, int n);
int open_descriptors(void);

void lines_open(struct lines *lines);
void lines_write(struct lines *lines, const struct tcpretrans_event *events, int n);
void lines_close(struct lines *lines);

/* All that can be asked of a tracer that is open, with callers of all ages. */
void ask_everything(struct tcpretrans *tracer);

/* What the kernel counted on both sides of the link, ... */
void read_kernel(struct task *task, struct tcpretrans *tracer, uint64_t segs[SIDES]);
/* ... less what the tracer knows became of it, since `before`. */
int64_t unexplained(struct task *task, struct tcpretrans *tracer, const uint64_t before[SIDES]);

/* Whether somebody wrote a line to stdin; `*over` where it ended. */
bool told_to_answer(bool *over);

/* The modes. */
void whole(struct task *task);
void wrong(struct task *task);
void threads(struct task *task);
void cycles(struct task *task);
void soak(struct task *task);
void rights(struct task *task);

#endif
