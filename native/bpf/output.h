/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way of a record to the reader: a ring buffer, or where the kernel has none perf buffers. */
#ifndef OUTPUT_H
#define OUTPUT_H

static __u64 last_wakeup_ns;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf_events SEC(".maps");

/* Records on their way into a perf buffer, too big for the stack. More than one for each CPU, since
 * a softirq or, on some kernels, another task may come in between. */
#define DRAFTS 4

struct draft {
	struct tcpretrans_record record;
	__u64 takers;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DRAFTS);
	__type(key, __u32);
	__type(value, struct draft);
} drafts SEC(".maps");

/* Entered before looking whether it is free, so that of two who interrupt each other at most one gets
 * it; older kernels have no operation that does both. */
static __always_inline bool take(struct draft *draft)
{
	__sync_fetch_and_add(&draft->takers, 1);
	if (*(volatile __u64 *)&draft->takers == 1)
		return true;
	__sync_fetch_and_add(&draft->takers, -1);
	return false;
}

static __always_inline struct tcpretrans_record *take_draft(void)
{
	for (__u32 i = 0; i < DRAFTS; i++) {
		__u32 place = i;
		struct draft *draft = bpf_map_lookup_elem(&drafts, &place);

		if (draft && take(draft))
			return &draft->record;
	}
	return 0;
}

static __always_inline void give_back(struct tcpretrans_record *record)
{
	__sync_fetch_and_add(&((struct draft *)record)->takers, -1);
}

static __always_inline struct tcpretrans_record *reserve(void)
{
	struct tcpretrans_record *record;

	if (settings.has_ring)
		record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	else
		record = take_draft();
	if (record)
		__builtin_memset(record, 0, sizeof(*record));
	return record;
}

/* A record, or a count of why there is none. */
static __always_inline struct tcpretrans_record *begin(struct tcpretrans_counters *count,
						       const struct cause *cause, __u32 segs)
{
	struct tcpretrans_record *record = reserve();

	if (!record) {
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return 0;
	}
	record->event.ts_ns = cause->ts_ns;
	record->event.segs = segs;
	record->event.reason = cause->reason;
	record->event.stall_us = cause->stall_us;
	if (cause->stall_known)
		record->event.known |= TCPRETRANS_KNOWN_STALL;
	return record;
}

/* Waking the reader costs more than all the rest. So it is woken for the first event after a quiet
 * while, and then only when much is waiting; what comes in between its timer fetches. Questions
 * about owners cannot wait for that. */
static __always_inline bool should_wake(const struct tcpretrans_record *record, bool at_once)
{
	const __u32 length = sizeof(*record) + 8;
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 now = record->event.ts_ns;

	if (now - last_wakeup_ns < TCPRETRANS_QUIET_NS && !at_once &&
	    (waiting < settings.wakeup_bytes || waiting - length >= settings.wakeup_bytes))
		return false;
	last_wakeup_ns = now;
	return true;
}

/* Whether it got into the buffer. */
static __always_inline bool send(void *ctx, struct tcpretrans_record *record, bool wake_at_once)
{
	long failed;

	if (settings.has_ring) {
		/* never the kernel's own choice of waking: mixed with these it loses wake-ups */
		bpf_ringbuf_submit(record, should_wake(record, wake_at_once) ? BPF_RB_FORCE_WAKEUP :
									       BPF_RB_NO_WAKEUP);
		return true;
	}
	failed = bpf_perf_event_output(ctx, &perf_events, BPF_F_CURRENT_CPU, record, sizeof(*record));
	give_back(record);
	return !failed;
}

/* Give back what was reserved. The reader has to step over what the filter gives back, or the ring
 * would be full of it. */
static __always_inline void discard(struct tcpretrans_record *record)
{
	if (settings.has_ring)
		bpf_ringbuf_discard(record, should_wake(record, false) ? BPF_RB_FORCE_WAKEUP :
									 BPF_RB_NO_WAKEUP);
	else
		__sync_fetch_and_add(&((struct draft *)record)->takers, -1);
}

static __always_inline void submit(void *ctx, struct tcpretrans_counters *count,
				   struct tcpretrans_record *record, bool wake_at_once)
{
	__u32 segs = record->event.segs;
	bool is_failed = record->event.err;

	if (!send(ctx, record, wake_at_once)) {
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return;
	}
	ADD(count->events, 1);
	ADD(count->segs, segs);
	if (is_failed)
		ADD(count->failed, 1);
}

#endif
