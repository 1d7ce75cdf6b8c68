/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A filter as the loader lays it down for the programs.
 *
 * There are two slots. A new filter is written into the one that is not in use, and a byte says
 * which of them counts; so an event is judged by the old filter or by the new one, never by both.
 * Ports lie in a table by their number. Addresses and numbers of which there may be many are keys of
 * one trie, which all lists of both slots share.
 */
#ifndef FILTER_RULES_H
#define FILTER_RULES_H

#define TCPRETRANS_FILTER_SWITCH ".data.filter"
#define TCPRETRANS_FILTER_LISTED 65536 /* addresses and numbers in one filter */

/* Conditions, in the order in which they are looked at. The first three are bits of the port table. */
enum filter_condition {
	FILTER_LOCAL_PORT  = 1 << 0,
	FILTER_REMOTE_PORT = 1 << 1,
	FILTER_PORT        = 1 << 2,
	FILTER_FAMILY      = 1 << 3,
	FILTER_STATE       = 1 << 4,
	FILTER_LOCAL       = 1 << 5,
	FILTER_REMOTE      = 1 << 6,
	FILTER_ADDRESS     = 1 << 7,
	FILTER_NETNS       = 1 << 8,
	FILTER_UID         = 1 << 9,
	FILTER_CGROUP      = 1 << 10,
	FILTER_REASON      = 1 << 11,
	FILTER_STALL       = 1 << 12,
	FILTER_PID         = 1 << 13,
};

#define FILTER_PORTS     (FILTER_LOCAL_PORT | FILTER_REMOTE_PORT | FILTER_PORT)
#define FILTER_ADDRESSES (FILTER_LOCAL | FILTER_REMOTE | FILTER_ADDRESS)
#define FILTER_NEVER     3 /* in the port table, the bits of `never` lie that much higher */

struct filter_conditions {
	uint32_t used;    /* enum filter_condition */
	uint32_t family;  /* 4 or 6 */
	uint32_t states;  /* a bit for each TCP state */
	uint32_t reasons; /* a bit for each enum tcpretrans_reason */
	uint64_t min_stall_us;
};

struct filter {
	uint32_t number; /* of this filter, from 1 on; no other one of this tracer has it */
	uint32_t slot;
	struct filter_conditions only;
	struct filter_conditions never;
	uint8_t  ports[65536];
};

/* Which of the lists a key belongs to: one of the conditions that have lists, and this. */
#define FILTER_SLOT(slot)   ((uint32_t)(slot) << 16)
#define FILTER_IS_NEVER     (1U << 17)
#define FILTER_IS_V6        (1U << 18)

struct filter_key {
	uint32_t bits; /* of what follows, those that count */
	uint32_t list;
	uint64_t value[2]; /* an address in network order, or a number and 0 */
};

#define FILTER_LIST_BITS 32

#endif
