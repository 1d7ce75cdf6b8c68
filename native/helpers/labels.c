/* SPDX-License-Identifier: BSD-2-Clause */
#include "labels.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SETS       512
#define WAYS       8 /* places that a label may have, so a lookup stays short whatever the host does */
#define TEXT_BYTES (1U << 20)
#define TEXT_MAX   (TEXT_BYTES / 4)

#define KNOWN (TCPRETRANS_KNOWN_CGROUP_ID | TCPRETRANS_KNOWN_NETNS | TCPRETRANS_KNOWN_UID | \
	       TCPRETRANS_KNOWN_OWNER)

_Static_assert(sizeof(struct label_key) == 40, "no padding: keys are compared as bytes");
_Static_assert((KNOWN & 0xffff) == KNOWN, "label_key.known");

int labels_open(struct labels *labels)
{
	labels->age = 1;
	labels->slots = calloc(SETS * WAYS, sizeof(*labels->slots));
	labels->texts = malloc(TEXT_BYTES);
	return labels->slots && labels->texts ? 0 : -ENOMEM;
}

/* What the names of an event depend on; what is not known is zero. */
static void make_key(struct label_key *key, const struct tcpretrans_event *event)
{
	memset(key, 0, sizeof(*key));
	key->known = event->known & KNOWN;
	if (key->known & TCPRETRANS_KNOWN_CGROUP_ID)
		key->cgroup_id = event->cgroup_id;
	if (key->known & TCPRETRANS_KNOWN_NETNS)
		key->netns = event->netns;
	if (key->known & TCPRETRANS_KNOWN_UID)
		key->uid = event->uid;
	if (!(key->known & TCPRETRANS_KNOWN_OWNER))
		return;
	key->owner_pid = event->owner_pid;
	key->owner_how = event->owner_how;
	memcpy(key->owner_comm, event->owner_comm, sizeof(key->owner_comm));
	if (key->owner_how == TCPRETRANS_OWNER_LAST_USER)
		key->state = event->state;
}

/* The set of slots in which this key may be. */
static struct label *set_of(const struct labels *labels, const struct label_key *key)
{
	uint64_t words[sizeof(*key) / 8], hash = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return &labels->slots[hash % SETS * WAYS];
}

static bool is_for(const struct labels *labels, const struct label *slot, const struct label_key *key)
{
	return slot->age == labels->age && !memcmp(&slot->key, key, sizeof(*key));
}

const struct label *labels_find(const struct labels *labels, const struct tcpretrans_event *event)
{
	const struct label *slot;
	struct label_key key;

	make_key(&key, event);
	slot = set_of(labels, &key);
	for (int i = 0; i < WAYS; i++, slot++)
		if (is_for(labels, slot, &key))
			return event->ts_ns <= slot->until_ns ? slot : NULL;
	return NULL;
}

/* The slot that has this key, else one that is free, else the one that ends first. */
static struct label *slot_for(const struct labels *labels, const struct label_key *key)
{
	struct label *slot = set_of(labels, key), *best = slot;

	for (int i = 0; i < WAYS; i++, slot++) {
		if (is_for(labels, slot, key))
			return slot;
		if (best->age == labels->age &&
		    (slot->age != labels->age || slot->until_ns < best->until_ns))
			best = slot;
	}
	return best;
}

int labels_put(struct labels *labels, const struct tcpretrans_event *event, const char *text,
	       size_t length, uint64_t until_ns)
{
	struct label_key key;
	struct label *slot;

	if (length > TEXT_MAX)
		return -E2BIG;
	make_key(&key, event);
	slot = slot_for(labels, &key);
	if (slot->age != labels->age || slot->length < length) { /* its old place is too small */
		if (labels->used + length > TEXT_BYTES) {
			labels->age++;
			labels->used = 0;
		}
		slot->at = labels->used;
		labels->used += length;
	}
	slot->key = key;
	slot->age = labels->age;
	slot->length = length;
	slot->until_ns = until_ns > event->ts_ns ? until_ns : event->ts_ns;
	memcpy(labels->texts + slot->at, text, length);
	return 0;
}

void labels_close(struct labels *labels)
{
	free(labels->slots);
	free(labels->texts);
}
