/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why and how late something is sent again: found out before there is a record of it. */
#ifndef CAUSE_H
#define CAUSE_H

struct cause {
	__u64 ts_ns;
	__u64 stall_us;
	bool stall_known;
	__u8 reason; /* enum tcpretrans_reason */
};

#endif
