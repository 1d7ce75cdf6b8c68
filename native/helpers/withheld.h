/* SPDX-License-Identifier: BSD-2-Clause */
/* Events that the programs counted as written, and that the filter kept back here, once their owner was
 * known. What the programs count stands; this is what to move from one column to the other. */
#ifndef WITHHELD_H
#define WITHHELD_H

#include <stdint.h>

struct netns_key;
struct tcpretrans_counters;
struct tcpretrans_record;

struct withheld {
	struct withheld_row *rows;
	unsigned n;
	unsigned latest;
};

int withheld_open(struct withheld *withheld);

void withheld_add(struct withheld *withheld, const struct tcpretrans_record *record);

/* Move what belongs to this namespace, NULL: to all of them, within `sum`. */
void withheld_move(const struct withheld *withheld, const struct netns_key *key,
		   struct tcpretrans_counters *sum);

void withheld_close(struct withheld *withheld);

#endif
