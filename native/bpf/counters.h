/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs count, for each network namespace, on each CPU apart; C adds it up. */
#ifndef COUNTERS_H
#define COUNTERS_H

/* More namespaces than these that retransmit share one row. */
#define MAX_NETNS 4096

/* A namespace's inode number is given away again once it is gone; its cookie is not. */
struct netns_key {
	uint64_t cookie; /* 0 where the kernel has none (before 5.12) */
	uint32_t netns;
	uint32_t reserved;
};

struct tcpretrans_counters {
	uint64_t events;         /* written into the ring */
	uint64_t segs;           /* segments in them that were sent */
	uint64_t failed;         /* of the events: attempts that failed */
	uint64_t failed_segs;    /* segments that the kernel counted although sending them failed */
	uint64_t lost;           /* events for which the ring had no room */
	uint64_t lost_segs;      /* segments in them */
	uint64_t filtered;       /* events that the filter kept back */
	uint64_t filtered_segs;  /* segments in them */
	uint64_t skipped_segs;   /* segments for which the kernel did not call us */
	uint64_t limited;        /* events that the rate limit kept back */
	uint64_t limited_segs;   /* segments in them */
};

#endif
