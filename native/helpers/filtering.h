/* SPDX-License-Identifier: BSD-2-Clause */
/* The filter of a running tracer: laid down for the programs, changed while they run, and applied here
 * to events whose owner they did not know. */
#ifndef FILTERING_H
#define FILTERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "explain.h"
#include "../libtcpretrans.h"

struct bpf_object;
struct filter_key;
struct tcpretrans_record;

/* The processes of one filter, for as long as records that it let through may be unread. */
struct pid_rule {
	struct pid_rule *older;
	uint32_t number;  /* the filter's */
	bool has_only;
	size_t n_only;
	size_t n_never;
	uint32_t pids[];  /* `only`, then `never` */
};

struct filtering {
	const struct bpf_object *object;
	bool no_owners;
	uint32_t slot;    /* in use */
	uint32_t number;  /* of the filter; 0 = there was none yet */
	struct filter_key *keys; /* of the one in use, in the trie */
	size_t n_keys;
	struct pid_rule *rules;  /* the latest first */
	unsigned n_rules;
};

/* Make the programs go by `filter`. 0, or -errno with a sentence; then nothing has changed. */
int filtering_set(struct filtering *filtering, const struct tcpretrans_filter *filter,
		  const struct tcpretrans_capabilities *can, const struct explain *why);

/* Whether a record passes, all that can be known of its owner being known. */
bool filtering_passes(const struct filtering *filtering, const struct tcpretrans_record *record);

/* All that was written before the latest change has been read. */
void filtering_forget(struct filtering *filtering);

void filtering_free(struct filtering *filtering);

#endif
