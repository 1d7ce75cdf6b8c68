/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose connection it is: what a filter asks first, and what counts are kept by. */
#ifndef TUPLE_H
#define TUPLE_H

/* Addresses in network order, IPv4 in the first word; ports in host order. */
struct tuple {
	__u32 saddr[4];
	__u32 daddr[4];
	__u16 sport;
	__u16 dport;
	__u8 family; /* 4 or 6; IPv4-mapped IPv6 is 4 */
	__u8 state;
};

/* The words of an IPv4-mapped address are zero but for the last two. */
static __always_inline bool is_v4_mapped(const __u32 *words)
{
	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

#endif
