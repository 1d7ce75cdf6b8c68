/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters as a caller may hand them over: structs of any size, lists that are missing or say that they
 * are longer than anything, conditions that cannot be; set one after another, with records judged between.
 * The kernel's maps are played here, and fail when the input says so.
 */
#include "input.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include "conditions.h"
#include "filtering.h"
#include "programs.h"
#include "../bpf/filter_rules.h"
#include "../bpf/owner_question.h"

#define KNOWN_SIZE sizeof(struct tcpretrans_conditions)
#define LISTS      10
#define STEPS      24

/* Lists of one filter, freed once it is set. */
struct made {
	void *blocks[2 * (LISTS + 1)];
	int n;
};

static int fails_in; /* calls, until one to the kernel fails; 0 = none does */

static int kernel_says(void)
{
	if (!fails_in || --fails_in)
		return 0;
	errno = ENOSPC;
	return -1;
}

int bpf_object__find_map_fd_by_name(const struct bpf_object *object, const char *name)
{
	MUST(!object && strlen(name));
	return 3;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	MUST(fd == 3 && key && value && !flags);
	return kernel_says();
}

int bpf_map_delete_elem(int fd, const void *key)
{
	const struct filter_key *deleted = key;

	MUST(fd == 3 && deleted->bits >= FILTER_LIST_BITS && deleted->bits <= FILTER_LIST_BITS + 128);
	return 0;
}

void programs_wait(void)
{
}

static void *keep(struct made *made, void *block)
{
	MUST((size_t)made->n < sizeof(made->blocks) / sizeof(*made->blocks));
	made->blocks[made->n++] = block;
	return block;
}

/* A list of up to 15 members, as many as it says; or one that is not there; or a number alone, which is
 * too large to be read at all. */
static void make_list(struct input *input, struct made *made, const void *list_at, size_t *n, size_t size,
		      bool may_be_long)
{
	uint8_t kind = take_uint8(input);
	void *list = NULL;

	*n = kind & 15;
	if (kind < 128)
		list = keep(made, take_block(input, *n * size));
	else if (kind < 192 && may_be_long)
		*n = take_uint64(input) | 0x10000 | 1;
	if (kind >= 128 && kind < 192 && may_be_long && *n > TCPRETRANS_FILTER_LISTED)
		list = keep(made, take_block(input, 1));
	memcpy((void *)list_at, &list, sizeof(list));
}

#define LIST(f, may_be_long) \
	make_list(input, made, &given.f, &given.n_##f, sizeof(*given.f), may_be_long)

/* Of exactly the size that it says; all of it beyond what is known here is one byte. */
static const struct tcpretrans_conditions *make_conditions(struct input *input, struct made *made)
{
	struct tcpretrans_conditions given = {};
	uint16_t size = take_uint16(input);
	char *bytes;

	if (size == UINT16_MAX)
		return NULL;
	given.family = take_uint32(input);
	given.states = take_uint32(input);
	given.reasons = take_uint32(input);
	given.min_stall_us = take_uint64(input);
	LIST(local_ports, false);
	LIST(remote_ports, false);
	LIST(ports, false);
	LIST(local, true);
	LIST(remote, true);
	LIST(address, true);
	LIST(netns, true);
	LIST(uids, true);
	LIST(cgroups, true);
	LIST(pids, true);
	given.size = size & 1 ? size >> 1 : KNOWN_SIZE;
	bytes = keep(made, malloc(given.size > sizeof(given.size) ? given.size : sizeof(given.size)));
	MUST(bytes);
	memset(bytes, take_uint8(input), given.size > sizeof(given.size) ? given.size : sizeof(given.size));
	memcpy(bytes, &given.size, sizeof(given.size));
	if (given.size > sizeof(given.size))
		memcpy(bytes, &given, given.size < KNOWN_SIZE ? given.size : KNOWN_SIZE);
	return (const struct tcpretrans_conditions *)bytes;
}

static void set_filter(struct input *input, struct filtering *filtering,
		       const struct tcpretrans_capabilities *can)
{
	uint8_t room = take_uint8(input);
	char *sentence = malloc(room ? room : 1);
	const struct explain why = { sentence, room };
	struct made made = {};
	struct tcpretrans_filter filter;
	uint32_t number = filtering->number;
	bool none;
	int err;

	MUST(sentence);
	memset(sentence, 'x', room ? room : 1);
	none = take_uint8(input) == 255;
	filter.only = make_conditions(input, &made);
	filter.never = make_conditions(input, &made);
	fails_in = take_uint8(input);
	err = filtering_set(filtering, none ? NULL : &filter, can, &why);
	MUST(err <= 0 && (!err || filtering->number == number));
	MUST(!err || !room || (memchr(sentence, '\0', room) && !strchr(sentence, '\n')));
	MUST(!err || room < 2 || *sentence);
	while (made.n)
		free(made.blocks[--made.n]);
	free(sentence);
}

static void judge(struct input *input, const struct filtering *filtering)
{
	struct tcpretrans_record record = {
		.judgement.filter = take_uint8(input), .event.owner_pid = take_uint8(input),
		.event.known = take_uint8(input) & 1 ? TCPRETRANS_KNOWN_OWNER : 0,
	};

	if (!filtering_passes(filtering, &record))
		MUST(filtering->rules && record.judgement.filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	struct filtering filtering = { .no_owners = take_uint8(&input) == 1 };
	struct tcpretrans_capabilities can = {
		.attach = take_uint8(&input) % 4 + 1, .can = take_uint64(&input), .known = take_uint64(&input),
	};

	for (int step = 0; step < STEPS && input.left; step++) {
		switch (take_uint8(&input) % 4) {
		case 0:
			judge(&input, &filtering);
			break;
		case 1:
			filtering_forget(&filtering);
			break;
		default:
			set_filter(&input, &filtering, &can);
		}
		MUST(filtering.n_rules <= 64);
	}
	filtering_free(&filtering);
	return 0;
}
