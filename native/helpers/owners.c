/* SPDX-License-Identifier: BSD-2-Clause */
#include "owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "buffer.h"
#include "host_clock.h"
#include "programs.h"
#include "../bpf/owner_question.h"

#define HELD_MAX     4096
#define PASS_GAP_NS  10000000
#define PASS_SHARE   10 /* passes take at most one part in so many of a CPU */

static uint64_t now_ns(const struct owners *owners)
{
	return host_clock_now_ns(owners->clock_ahead_ns);
}

int owners_open(struct owners *owners, struct programs *programs)
{
	owners->programs = programs;
	owners->clock_ahead_ns = host_clock_ahead_ns();
	owners->held = calloc(HELD_MAX, sizeof(*owners->held));
	return owners->held ? 0 : -ENOMEM;
}

static struct tcpretrans_record *at(const struct owners *owners, unsigned place)
{
	return &owners->held[(owners->first + place) % HELD_MAX];
}

static void apply(struct tcpretrans_event *event, const struct tcpretrans_answer *answer)
{
	if (answer->shared < 2) {
		event->owner_shared = answer->shared;
		event->known |= TCPRETRANS_KNOWN_SHARED;
	}
	if (!answer->pid || event->known & TCPRETRANS_KNOWN_OWNER)
		return;
	event->owner_pid = answer->pid;
	event->owner_how = answer->how;
	memcpy(event->owner_comm, answer->comm, sizeof(event->owner_comm));
	event->known |= TCPRETRANS_KNOWN_OWNER;
}

/* A question that is settled is taken off its event. */
static void look_up(const struct owners *owners, struct tcpretrans_record *record)
{
	struct tcpretrans_answer answer;

	if (programs_answer(owners->programs, &record->question, &answer) || !answer.answered)
		return;
	apply(&record->event, &answer);
	record->question.asked_ns = 0;
}

static void pass(struct owners *owners)
{
	owners->pass_began_ns = now_ns(owners);
	owners->asked_ns = 0; /* all that have been read were asked before */
	programs_find_holders(owners->programs);
	owners->pass_took_ns = now_ns(owners) - owners->pass_began_ns;
}

static uint64_t next_pass_ns(const struct owners *owners)
{
	uint64_t gap = owners->pass_took_ns * PASS_SHARE;

	return owners->pass_began_ns + (gap > PASS_GAP_NS ? gap : PASS_GAP_NS);
}

static int pull(struct owners *owners, struct buffer *buffer)
{
	struct tcpretrans_record *record = at(owners, owners->count);
	int got = buffer_read(buffer, record);

	if (got <= 0)
		return got;
	owners->count++;
	owners->full |= owners->count == HELD_MAX;
	if (record->question.asked_ns)
		owners->asked_ns = record->event.ts_ns;
	return got;
}

static void pop(struct owners *owners)
{
	owners->first = (owners->first + 1) % HELD_MAX;
	owners->count--;
	owners->full &= owners->count > HELD_MAX / 2;
}

/* The oldest may go, as far as its owner is concerned; what the filter then keeps back is gone. */
static bool is_withheld(struct owners *owners)
{
	const struct tcpretrans_record *oldest = at(owners, 0);

	if (filtering_passes(&owners->programs->filtering, oldest))
		return false;
	withheld_add(&owners->programs->withheld, oldest);
	pop(owners);
	return true;
}

/* Up to the first event that is to be handed out, or has to wait. Whether any was withheld. */
static bool settle_oldest(struct owners *owners)
{
	bool withheld = false;

	while (owners->count) {
		if (at(owners, 0)->question.asked_ns)
			look_up(owners, at(owners, 0));
		if (owners_wait_ns(owners) || !is_withheld(owners))
			break;
		withheld = true;
	}
	return withheld;
}

int owners_fetch(struct owners *owners, struct buffer *buffer, unsigned wanted)
{
	int got = 1;

	do {
		while (got > 0 && owners->count < HELD_MAX &&
		       (owners->count < wanted || at(owners, 0)->question.asked_ns))
			got = pull(owners, buffer);
		if (owners->asked_ns > owners->pass_began_ns && now_ns(owners) >= next_pass_ns(owners))
			pass(owners);
	} while (settle_oldest(owners) && got > 0);
	if (!owners->count && !buffer_waiting(buffer))
		filtering_forget(&owners->programs->filtering);
	return got < 0 ? got : 0;
}

uint64_t owners_wait_ns(const struct owners *owners)
{
	const struct tcpretrans_record *oldest = at(owners, 0);
	uint64_t now, until;

	if (!owners->count)
		return UINT64_MAX;
	if (!oldest->question.asked_ns || owners->full)
		return 0;
	now = now_ns(owners);
	until = oldest->event.ts_ns + TCPRETRANS_HOLD_NS;
	if (now >= until || until - now > 2 * TCPRETRANS_HOLD_NS) /* from no clock of ours */
		return 0;
	if (owners->asked_ns > owners->pass_began_ns && next_pass_ns(owners) < until)
		until = next_pass_ns(owners);
	return until > now ? until - now : 1;
}

uint64_t owners_again_ns(const struct owners *owners)
{
	uint64_t now = now_ns(owners), next = next_pass_ns(owners);

	return owners->pass_began_ns && now < next ? next - now : UINT64_MAX;
}

/* Hand out up to `n` held events that may go; of those `anyway`, all. Returns how many. */
static int take(struct owners *owners, struct tcpretrans_event *events, int n, bool anyway)
{
	int taken = 0;

	while (taken < n && owners->count) {
		struct tcpretrans_record *oldest = at(owners, 0);

		if (oldest->question.asked_ns)
			look_up(owners, oldest);
		if (!anyway && owners_wait_ns(owners))
			break;
		if (is_withheld(owners))
			continue;
		events[taken++] = oldest->event;
		pop(owners);
	}
	return taken;
}

int owners_drain(struct owners *owners, struct buffer *buffer, struct tcpretrans_event *events, int n,
		 bool anyway)
{
	int drained = take(owners, events, n, anyway);
	int err = 0;

	if (!owners->count && drained < n)
		err = buffer_read_events(buffer, events + drained, n - drained);
	if (err > 0)
		drained += err;
	if (err >= 0 && drained < n) { /* from here on something has to be held back */
		err = owners_fetch(owners, buffer, n - drained);
		drained += take(owners, events + drained, n - drained, anyway);
	}
	return drained ?: err;
}

void owners_finish(struct owners *owners, struct buffer *buffer)
{
	owners_fetch(owners, buffer, HELD_MAX);
	if (owners->asked_ns > owners->pass_began_ns)
		pass(owners);
}

void owners_close(struct owners *owners)
{
	free(owners->held);
	owners->held = NULL;
}
