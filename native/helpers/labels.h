/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that belong to what several events have in common: socket's group, namespace, user, owner.
 *
 * Bounded: a label that finds no place takes that of the one which ends first; where their texts fill
 * all room, all are forgotten.
 */
#ifndef LABELS_H
#define LABELS_H

#include <stddef.h>
#include <stdint.h>
#include "../libtcpretrans.h"

struct label_key {
	uint64_t cgroup_id;
	uint32_t netns;
	uint32_t uid;
	uint32_t owner_pid;
	uint16_t known; /* which of these are, and the owner's */
	uint8_t  owner_how;
	uint8_t  state; /* where it tells whether a last user still holds the socket */
	char     owner_comm[16];
};

struct label {
	struct label_key key;
	uint64_t until_ns; /* for events up to then */
	uint32_t age;      /* that of all labels, or this one was forgotten */
	uint32_t at;       /* where in `texts` */
	uint32_t length;
	uint32_t reserved;
};

struct labels {
	struct label *slots;
	char *texts;
	uint32_t used;
	uint32_t age;
};

int labels_open(struct labels *labels);

/* The label of `event`, or NULL where there is none that is good for it. */
const struct label *labels_find(const struct labels *labels, const struct tcpretrans_event *event);

/* Remember `text` for events like this one, up to `until_ns`. 0, or -E2BIG. */
int labels_put(struct labels *labels, const struct tcpretrans_event *event, const char *text,
	       size_t length, uint64_t until_ns);

void labels_close(struct labels *labels);

#endif
