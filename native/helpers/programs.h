/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF object: configure, load, attach, count, detach. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <stddef.h>
#include <stdint.h>
#include "explain.h"
#include "../libtcpretrans.h"

struct tcpretrans_bpf;
struct tcpretrans_question;
struct tcpretrans_answer;

struct programs {
	struct tcpretrans_bpf *skeleton;
	char *log;       /* where the kernel says why it refuses a program */
	size_t ring_bytes;
};

/* Everything up to running programs. 0, or -errno with a sentence in `why`; on failure nothing
 * stays behind. */
int programs_start(struct programs *programs, const struct tcpretrans_opts *opts,
		   const struct explain *why);

int programs_ring_fd(const struct programs *programs);

/* Add up what the programs counted. */
int programs_count(const struct programs *programs, struct tcpretrans_stats *stats);

/* The account of each network namespace; see tcpretrans_netns(). */
int programs_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n);

/* Have the programs look at each open socket of this thread's network namespace; as long as they are
 * attached. What cannot be looked at stays unexplained. */
void programs_settle(const struct programs *programs);
/* Look through the open files of all processes for those that hold sockets. 0 or -errno. */
int programs_find_holders(struct programs *programs);

/* What was found out about one socket (bpf/owner_question.h). 0 or -errno. */
int programs_answer(const struct programs *programs, const struct tcpretrans_question *question,
		    struct tcpretrans_answer *answer);

/* Detach; maps and counters stay readable. */
void programs_detach(struct programs *programs);

void programs_free(struct programs *programs);

#endif
