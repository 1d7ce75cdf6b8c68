/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many segments an event stands for.
 *
 * The kernel adds to RetransSegs and to the socket's total_retrans in the same breath
 * (__tcp_retransmit_skb, net/ipv4/tcp_output.c), so what total_retrans grew by since we last looked
 * is exactly what the kernel counted. An event alone does not tell: a program is skipped when it
 * would interrupt itself, and a failed transmission may or may not have been counted.
 */
#ifndef ACCOUNTING_H
#define ACCOUNTING_H

static __always_inline void look(struct socket_memory *memory, __u32 total)
{
	memory->counted = total;
	memory->looked = true;
}

/* Segments counted since the last look; `otherwise` where there was none. A total that went back
 * was reset by connect() after a disconnect. */
static __always_inline __u32 grown(struct socket_memory *memory, __u32 total, __u32 otherwise)
{
	__u32 by = otherwise;

	if (!memory)
		return by;
	if (memory->looked)
		by = total < memory->counted ? total : total - memory->counted;
	look(memory, total);
	return by;
}

/* Errors with which __tcp_retransmit_skb gives up before it counts anything. */
static __always_inline bool gave_up(int err)
{
	return err == -EAGAIN || err == -ENOMEM || err == -EBUSY || err == -EINVAL ||
	       err == -EHOSTUNREACH;
}

#endif
