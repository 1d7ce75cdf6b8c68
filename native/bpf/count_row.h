/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What events are counted under in the kernel, and what is added up there. */
#ifndef COUNT_ROW_H
#define COUNT_ROW_H

/* A map's keys are only as long as its counts need: the number alone, or up to the field that is the
 * last one in use. */
struct count_key {
	union {
		uint32_t daddr[4]; /* network order, IPv4 in the first word */
		uint64_t number;   /* port, pid, cgroup or reason */
	};
	uint32_t family;           /* 4 or 6 */
	uint16_t sport;
	uint16_t dport;
	uint32_t saddr[4];
};

struct count_row {
	uint64_t events;
	uint64_t segs;
	uint64_t bytes;
};

#endif
