/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF programs of a running tracer: their links, maps and counters. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "explain.h"
#include "filtering.h"
#include "notes.h"
#include "withheld.h"
#include "../libtcpretrans.h"

#define MAX_PROGRAMS 16

struct bpf_link;
struct bpf_object;
struct tcpretrans_question;
struct tcpretrans_answer;

struct programs {
	struct bpf_object *object;
	struct bpf_link *links[MAX_PROGRAMS]; /* in the order of the object's programs */
	size_t buffer_bytes;
	struct tcpretrans_capabilities can;
	struct notes notes;
	struct filtering filtering;
	struct withheld withheld;
};

/* Everything up to running programs. 0, or -errno with a sentence in `why`; on failure nothing
 * stays behind. */
int programs_start(struct programs *programs, const struct tcpretrans_opts *opts,
		   const struct explain *why);

/* The map into which records are written, and whether that is a ring buffer. */
int programs_buffer_fd(const struct programs *programs);
bool programs_have_ring(const struct programs *programs);

/* A map's descriptor; negative where the object has no such map. */
int programs_map_fd(const struct programs *programs, const char *name);

/* Add up what the programs counted. */
int programs_count(const struct programs *programs, struct tcpretrans_stats *stats);

/* The account of each network namespace; see tcpretrans_netns(). */
int programs_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n);

/* Have the programs look at each open socket of this thread's network namespace; as long as they are
 * attached. What cannot be looked at stays unexplained. */
void programs_settle(const struct programs *programs);

/* Have an iterator program of this name, if it is there, go through all it iterates over. */
int programs_go_through(const struct programs *programs, const char *name);

/* Look through the open files of all processes for those that hold sockets. 0 or -errno. */
int programs_find_holders(const struct programs *programs);

/* What was found out about one socket (bpf/owner_question.h). 0 or -errno. */
int programs_answer(const struct programs *programs, const struct tcpretrans_question *question,
		    struct tcpretrans_answer *answer);

/* Detach one program, if it is there. */
void programs_detach_one(struct programs *programs, const char *name);

/* Detach all; maps and counters stay readable. */
void programs_detach(struct programs *programs);

/* Wait until all programs that are running now have ended. */
void programs_wait(void);

void programs_free(struct programs *programs);

/* The same in a fork()ed child, which detaches nothing of the parent's. */
void programs_forget(struct programs *programs);

#endif
