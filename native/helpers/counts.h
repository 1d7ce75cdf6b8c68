/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs count in rows: instead of events, or of what the rate limit keeps back. */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include "../libtcpretrans.h"

struct attempt;
struct programs;

/* What counting goes without, unless its first filter asks for it. */
struct counts_needs {
	bool cause;  /* reason, or how long the data had been waiting */
	bool owners;
};

/* What a filter asks for; one that cannot be asks for nothing. */
struct counts_needs counts_needs_of(const struct tcpretrans_filter *filter);

/* Tell the programs by what to count and how much a flow may have, and make the map fit. 0 or -errno. */
int counts_prepare(struct attempt *attempt);

/* See tcpretrans_counts(). */
int counts_read(const struct programs *programs, struct tcpretrans_count *rows, int n,
		struct tcpretrans_count *beyond);

#endif
