/* SPDX-License-Identifier: BSD-2-Clause */
/* The conditions of a filter: checked, and put in the form in which the programs want them. */
#ifndef CONDITIONS_H
#define CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include "explain.h"
#include "../libtcpretrans.h"
#include "../bpf/filter_rules.h"

/* The caller's, whose struct may be shorter or longer than ours, or NULL. 0, or -errno with a sentence. */
int conditions_read(struct tcpretrans_conditions *ours, const struct tcpretrans_conditions *theirs,
		    const struct explain *why);

/* Whether such conditions can be met at all here. 0, or -EOPNOTSUPP or -EINVAL with a sentence. */
int conditions_possible(const struct tcpretrans_conditions *conditions, bool no_owners,
			const struct tcpretrans_capabilities *can, const struct explain *why);

/* -EINVAL, with a sentence on so many members of lists. */
int conditions_too_many(size_t listed, const struct explain *why);

/* How many keys they need in the trie. */
size_t conditions_listed(const struct tcpretrans_conditions *conditions);

/* Fill the filter in, but for its number and slot, and its keys; `never`: as the ones that keep back.
 * Returns the place behind the last key. */
struct filter_key *conditions_fill(struct filter *filter, struct filter_key *keys,
				   const struct tcpretrans_conditions *conditions, bool never);

#endif
