/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs count, on each CPU apart; C adds it up for tcpretrans_stats(). */
#ifndef COUNTERS_H
#define COUNTERS_H

struct tcpretrans_counters {
	uint64_t events;
	uint64_t segs;
	uint64_t failed;
	uint64_t lost;
	uint64_t lost_segs;
	uint64_t filtered;
	uint64_t filtered_segs;
};

#endif
