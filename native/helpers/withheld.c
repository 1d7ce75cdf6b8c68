/* SPDX-License-Identifier: BSD-2-Clause */
#include "withheld.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include "../libtcpretrans.h"
#include "../bpf/counters.h"
#include "../bpf/owner_question.h"

#define ROWS (MAX_NETNS + 1) /* the first is for the namespaces beyond */

struct withheld_row {
	struct netns_key key;
	uint64_t events;
	uint64_t segs;
	uint64_t failed;
};

/* Room for all there can be, since later nothing may fail; what is not used takes no memory. */
int withheld_open(struct withheld *withheld)
{
	withheld->rows = calloc(ROWS, sizeof(*withheld->rows));
	withheld->n = withheld->rows ? 1 : 0;
	return withheld->rows ? 0 : -ENOMEM;
}

static bool is_same(const struct netns_key *one, const struct netns_key *other)
{
	return one->netns == other->netns && one->cookie == other->cookie;
}

static struct withheld_row *row_of(struct withheld *withheld, const struct netns_key *key)
{
	if (withheld->latest < withheld->n && is_same(&withheld->rows[withheld->latest].key, key))
		return &withheld->rows[withheld->latest];
	for (withheld->latest = 0; withheld->latest < withheld->n; withheld->latest++)
		if (is_same(&withheld->rows[withheld->latest].key, key))
			return &withheld->rows[withheld->latest];
	if (withheld->n == ROWS) { /* the programs tell of no more */
		withheld->latest = 0;
		return withheld->rows;
	}
	withheld->n++;
	withheld->rows[withheld->latest].key = *key;
	return &withheld->rows[withheld->latest];
}

void withheld_add(struct withheld *withheld, const struct tcpretrans_record *record)
{
	struct netns_key key = {};
	struct withheld_row *row;

	if (!record->judgement.uncounted_netns) {
		key.netns = record->event.netns;
		key.cookie = record->judgement.netns_cookie;
	}
	row = row_of(withheld, &key);
	row->events++;
	row->segs += record->event.segs;
	row->failed += record->event.err != 0;
}

/* A program that is stopped just behind handing a record over has not counted it yet. */
static uint64_t take_from(uint64_t *sum, uint64_t part)
{
	if (part > *sum)
		part = *sum;
	*sum -= part;
	return part;
}

void withheld_move(const struct withheld *withheld, const struct netns_key *key,
		   struct tcpretrans_counters *sum)
{
	for (unsigned i = 0; i < withheld->n; i++) {
		const struct withheld_row *row = &withheld->rows[i];

		if (key && !is_same(&row->key, key))
			continue;
		sum->filtered += take_from(&sum->events, row->events);
		sum->filtered_segs += take_from(&sum->segs, row->segs);
		take_from(&sum->failed, row->failed);
	}
}

void withheld_close(struct withheld *withheld)
{
	free(withheld->rows);
	withheld->rows = NULL;
	withheld->n = 0;
}
