/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the program that fills a ring is told, and what it tells. */
#ifndef FILL_H
#define FILL_H

#define FILL_RECORDS      1024 /* recorded events, written again and again */
#define FILL_AT_ONCE      1024 /* records in one call */
#define FILL_WAKEUP_BYTES (64 << 10)

struct fill_order {
	__u32 records;    /* to be written by this call */
	__u32 until_full; /* end at the first that finds no room */
};

/* Since the start. */
struct fill_result {
	__u64 written;
	__u64 failed; /* found no room in the ring */
};

#endif
