/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user does not want to see. It is counted all the same. */
#ifndef FILTER_H
#define FILTER_H

static __always_inline bool passes_tuple(const struct tuple *tuple)
{
	return !settings.only_family || settings.only_family == tuple->family;
}

static __always_inline void keep_back(struct tcpretrans_counters *count, __u32 segs)
{
	ADD(count->filtered, 1);
	ADD(count->filtered_segs, segs);
}

#endif
