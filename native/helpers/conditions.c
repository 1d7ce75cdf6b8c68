/* SPDX-License-Identifier: BSD-2-Clause */
#include "conditions.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "sized.h"

#define STATES  0x1ffeU /* TCP_ESTABLISHED = 1 ... TCP_NEW_SYN_RECV = 12 */
#define REASONS ((2U << TCPRETRANS_REASON_PMTU) - 2)
#define HANDSHAKES (1U << TCPRETRANS_REASON_SYN | 1U << TCPRETRANS_REASON_SYNACK)

int conditions_too_many(size_t listed, const struct explain *why)
{
	return explain(why, -EINVAL, "the filter lists %zu addresses, processes, users and the like; %d are "
		       "the most: put neighbouring addresses together in shorter prefixes", listed,
		       TCPRETRANS_FILTER_LISTED);
}

static int check_ports(const char *name, const struct tcpretrans_range *ports, size_t n,
		       const struct explain *why)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].first > ports[i].last)
			return explain(why, -EINVAL, "%s of the filter go from %u down to %u; give the "
				       "smaller one first", name, ports[i].first, ports[i].last);
	return 0;
}

static int check_prefixes(const char *name, const struct tcpretrans_prefix *prefixes, size_t n,
			  const struct explain *why)
{
	for (size_t i = 0; i < n; i++) {
		unsigned family = prefixes[i].family, bits = prefixes[i].bits;

		if (family != 4 && family != 6)
			return explain(why, -EINVAL, "an entry of %s in the filter has the family %u; it must "
				       "be 4 or 6", name, family);
		if (bits > (family == 4 ? 32 : 128))
			return explain(why, -EINVAL, "an entry of %s in the filter has %u bits; an IPv%u "
				       "address has %u", name, bits, family, family == 4 ? 32 : 128);
	}
	return 0;
}

/* Lists that are not there, and lengths whose sum would not be what it says. */
static int check_lists(const struct tcpretrans_conditions *c, const struct explain *why)
{
	const size_t most = TCPRETRANS_FILTER_LISTED;
	const struct { const char *name; const void *list; size_t n, most; } lists[] = {
		{ "local ports", c->local_ports, c->n_local_ports, SIZE_MAX },
		{ "remote ports", c->remote_ports, c->n_remote_ports, SIZE_MAX },
		{ "ports", c->ports, c->n_ports, SIZE_MAX },
		{ "local", c->local, c->n_local, most },
		{ "remote", c->remote, c->n_remote, most },
		{ "address", c->address, c->n_address, most },
		{ "netns", c->netns, c->n_netns, most },
		{ "uids", c->uids, c->n_uids, most },
		{ "cgroups", c->cgroups, c->n_cgroups, most },
		{ "pids", c->pids, c->n_pids, most },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (lists[i].n && !lists[i].list)
			return explain(why, -EINVAL, "the filter has %zu members of %s, but no list; set both or "
				       "neither", lists[i].n, lists[i].name);
		if (lists[i].n > lists[i].most)
			return conditions_too_many(lists[i].n, why);
	}
	return 0;
}

static int check(const struct tcpretrans_conditions *conditions, const struct explain *why)
{
	const struct tcpretrans_conditions *c = conditions;
	int err = check_lists(c, why);

	if (err)
		return err;

	if (c->family && c->family != 4 && c->family != 6)
		return explain(why, -EINVAL, "the family of the filter is %u; it must be 4, 6, or 0 for both",
			       c->family);
	if (c->states & ~STATES)
		return explain(why, -EINVAL, "the states of the filter are 0x%x, and there are no such ones; "
			       "set the bits 1 to 12", c->states);
	if (c->reasons & ~REASONS)
		return explain(why, -EINVAL, "the reasons of the filter are 0x%x, and there are no such ones; "
			       "set the bits of enum tcpretrans_reason, but not that of UNKNOWN", c->reasons);
	err = check_ports("local ports", c->local_ports, c->n_local_ports, why);
	err = err ?: check_ports("remote ports", c->remote_ports, c->n_remote_ports, why);
	err = err ?: check_ports("ports", c->ports, c->n_ports, why);
	err = err ?: check_prefixes("local", c->local, c->n_local, why);
	err = err ?: check_prefixes("remote", c->remote, c->n_remote, why);
	return err ?: check_prefixes("address", c->address, c->n_address, why);
}

int conditions_read(struct tcpretrans_conditions *ours, const struct tcpretrans_conditions *theirs,
		    const struct explain *why)
{
	int err;

	memset(ours, 0, sizeof(*ours));
	if (!theirs)
		return 0;
	err = sized_read(ours, sizeof(*ours), theirs, theirs->size);
	if (err == -EINVAL)
		return explain(why, err, "the filter's conditions have no size: set it to sizeof(struct "
			       "tcpretrans_conditions)");
	if (err)
		return explain(why, err, "the filter has conditions that version " TCPRETRANS_VERSION
			       " does not know: of %zu bytes it knows %zu, so set the rest to zero, or size "
			       "to sizeof(struct tcpretrans_conditions)", theirs->size, sizeof(*ours));
	return check(ours, why);
}

/* What a condition is about, if that is never known here. */
static const char *unknown_field(const struct tcpretrans_conditions *conditions,
				 const struct tcpretrans_capabilities *can)
{
	if (conditions->n_netns && !(can->known & TCPRETRANS_KNOWN_NETNS))
		return "netns";
	if (conditions->n_uids && !(can->known & TCPRETRANS_KNOWN_UID))
		return "uid";
	if (conditions->n_cgroups && !(can->known & TCPRETRANS_KNOWN_CGROUP_ID))
		return "cgroup";
	if (conditions->min_stall_us && !(can->known & TCPRETRANS_KNOWN_STALL))
		return "stall";
	if (conditions->n_pids && !(can->known & TCPRETRANS_KNOWN_OWNER))
		return "pid";
	if (conditions->reasons & ~HANDSHAKES && !(can->can & TCPRETRANS_CAN_REASON))
		return "reasons other than syn and synack";
	return NULL;
}

int conditions_possible(const struct tcpretrans_conditions *conditions, bool no_owners,
			const struct tcpretrans_capabilities *can, const struct explain *why)
{
	static const char *const ways[] = { "", "tp_btf", "raw_tp", "tp", "kprobe" };
	const char *field = unknown_field(conditions, can);

	if (conditions->n_pids && no_owners)
		return explain(why, -EINVAL, "events cannot be filtered by pid while owners are not looked "
			       "for; look for them, or leave pid out of the filter");
	if (field)
		return explain(why, -EOPNOTSUPP, "events cannot be filtered by %s when attached by %s, which "
			       "does not tell; attach by tp_btf or raw_tp, or leave that out of the filter",
			       field, ways[can->attach]);
	return 0;
}

size_t conditions_listed(const struct tcpretrans_conditions *conditions)
{
	return conditions->n_local + conditions->n_remote + conditions->n_address + conditions->n_netns +
	       conditions->n_uids + conditions->n_cgroups + conditions->n_pids;
}

static uint32_t used(const struct tcpretrans_conditions *conditions)
{
	const struct tcpretrans_conditions *c = conditions;

	return (c->n_local_ports ? FILTER_LOCAL_PORT : 0) | (c->n_remote_ports ? FILTER_REMOTE_PORT : 0) |
	       (c->n_ports ? FILTER_PORT : 0) | (c->family ? FILTER_FAMILY : 0) |
	       (c->states ? FILTER_STATE : 0) | (c->n_local ? FILTER_LOCAL : 0) |
	       (c->n_remote ? FILTER_REMOTE : 0) | (c->n_address ? FILTER_ADDRESS : 0) |
	       (c->n_netns ? FILTER_NETNS : 0) | (c->n_uids ? FILTER_UID : 0) |
	       (c->n_cgroups ? FILTER_CGROUP : 0) | (c->reasons ? FILTER_REASON : 0) |
	       (c->min_stall_us ? FILTER_STALL : 0) | (c->n_pids ? FILTER_PID : 0);
}

static void fill_ports(struct filter *filter, const struct tcpretrans_range *ports, size_t n, uint8_t bit)
{
	for (size_t i = 0; i < n; i++)
		for (uint32_t port = ports[i].first; port <= ports[i].last; port++)
			filter->ports[port] |= bit;
}

/* What is behind the prefix's bits does not count. */
static void mask(struct filter_key *key, unsigned bits)
{
	uint8_t *bytes = (uint8_t *)key->value;

	for (unsigned i = 0; i < sizeof(key->value); i++, bits -= bits < 8 ? bits : 8)
		bytes[i] &= bits < 8 ? 0xff00 >> bits : 0xff;
}

static struct filter_key *fill_prefixes(struct filter_key *key, uint32_t list,
					const struct tcpretrans_prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++, key++) {
		bool is_v6 = prefixes[i].family == 6;

		*key = (struct filter_key){ .bits = FILTER_LIST_BITS + prefixes[i].bits,
					    .list = list | (is_v6 ? FILTER_IS_V6 : 0) };
		memcpy(key->value, prefixes[i].address, is_v6 ? 16 : 4);
		mask(key, prefixes[i].bits);
	}
	return key;
}

static struct filter_key *fill_number(struct filter_key *key, uint32_t list, uint64_t number)
{
	*key = (struct filter_key){ .bits = FILTER_LIST_BITS + 8 * sizeof(key->value), .list = list,
				    .value = { number } };
	return key + 1;
}

static struct filter_key *fill_numbers(struct filter_key *key, uint32_t list, const uint32_t *numbers,
				       size_t n)
{
	for (size_t i = 0; i < n; i++)
		key = fill_number(key, list, numbers[i]);
	return key;
}

struct filter_key *conditions_fill(struct filter *filter, struct filter_key *keys,
				   const struct tcpretrans_conditions *conditions, bool never)
{
	const struct tcpretrans_conditions *c = conditions;
	uint32_t list = FILTER_SLOT(filter->slot) | (never ? FILTER_IS_NEVER : 0);
	int higher = never ? FILTER_NEVER : 0;

	*(never ? &filter->never : &filter->only) = (struct filter_conditions){
		.used = used(c), .family = c->family, .states = c->states, .reasons = c->reasons,
		.min_stall_us = c->min_stall_us,
	};
	fill_ports(filter, c->local_ports, c->n_local_ports, FILTER_LOCAL_PORT << higher);
	fill_ports(filter, c->remote_ports, c->n_remote_ports, FILTER_REMOTE_PORT << higher);
	fill_ports(filter, c->ports, c->n_ports, FILTER_PORT << higher);
	keys = fill_prefixes(keys, list | FILTER_LOCAL, c->local, c->n_local);
	keys = fill_prefixes(keys, list | FILTER_REMOTE, c->remote, c->n_remote);
	keys = fill_prefixes(keys, list | FILTER_ADDRESS, c->address, c->n_address);
	keys = fill_numbers(keys, list | FILTER_NETNS, c->netns, c->n_netns);
	keys = fill_numbers(keys, list | FILTER_UID, c->uids, c->n_uids);
	keys = fill_numbers(keys, list | FILTER_PID, c->pids, c->n_pids);
	for (size_t i = 0; i < c->n_cgroups; i++)
		keys = fill_number(keys, list | FILTER_CGROUP, c->cgroups[i]);
	return keys;
}
