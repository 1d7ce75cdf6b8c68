/* SPDX-License-Identifier: BSD-2-Clause */
/* Holding events back, for at most 20 ms, while it is found out whose they are.
 *
 * Most events come with their owner. For the others the open files of all processes are looked
 * through once for all that wait; events stay in their order, so those behind wait with them.
 */
#ifndef OWNERS_H
#define OWNERS_H

#include <stdbool.h>
#include <stdint.h>
#include "../libtcpretrans.h"

struct programs;
struct buffer;
struct tcpretrans_record;

struct owners {
	struct programs *programs;
	struct tcpretrans_record *held; /* round: `count` from `first` on, oldest first */
	unsigned first;
	unsigned count;
	int64_t clock_ahead_ns;  /* of the host's clock, which events have */
	uint64_t asked_ns;       /* the latest question */
	uint64_t pass_began_ns;
	uint64_t pass_took_ns;
	bool full; /* a storm: nothing is held until half of them are out */
};

int owners_open(struct owners *owners, struct programs *programs);

/* Fetch from the buffer until `wanted` events are here; all, where the oldest is held back. 0 or -errno. */
int owners_fetch(struct owners *owners, struct buffer *buffer, unsigned wanted);

/* Nanoseconds until the oldest event may go: 0 = now; UINT64_MAX = there is none. */
uint64_t owners_wait_ns(const struct owners *owners);

/* Nanoseconds until the next pass may begin: soon after one, questions do not wake the reader, which
 * has to look by itself. UINT64_MAX = questions wake. */
uint64_t owners_again_ns(const struct owners *owners);

/* Hand out up to `n` events that may go, oldest first; those held back too where `anyway`. While
 * nothing is held and no question comes, straight from the buffer. How many, or -errno. */
int owners_drain(struct owners *owners, struct buffer *buffer, struct tcpretrans_event *events, int n,
		 bool anyway);

/* Find out what can be, before the programs are detached. */
void owners_finish(struct owners *owners, struct buffer *buffer);

void owners_close(struct owners *owners);

#endif
