// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Fills a tracer's ring with records that it had written before, so that what comes behind the ring
 * can be measured without a storm. Never attached: it runs when it is called.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include "tcpretrans_event.h"
#include "owner_question.h"
#include "fill.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Stands for the tracer's ring, or for that of a rival. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FILL_RECORDS);
	__type(key, __u32);
	__type(value, struct tcpretrans_record);
} recorded SEC(".maps");

struct fill_order order;
struct fill_result result;

/* As the tracer's own programs do it: one wake-up when much has come together. */
static __always_inline __u64 wakeup(void)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return waiting < FILL_WAKEUP_BYTES ||
	       waiting - sizeof(struct tcpretrans_record) - 8 >= FILL_WAKEUP_BYTES ? BPF_RB_NO_WAKEUP :
										   BPF_RB_FORCE_WAKEUP;
}

static __always_inline bool write_one(__u32 place)
{
	struct tcpretrans_record *from = bpf_map_lookup_elem(&recorded, &place);
	struct tcpretrans_record *to;

	if (!from)
		return false;
	to = bpf_ringbuf_reserve(&ring, sizeof(*to), 0);
	if (!to)
		return false;
	__builtin_memcpy(to, from, sizeof(*to));
	to->event.ts_ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(to, wakeup());
	return true;
}

SEC("syscall")
int fill(void *ctx)
{
	for (__u32 i = 0; i < FILL_AT_ONCE; i++) {
		if (i >= order.records)
			break;
		if (write_one((result.written + result.failed) % FILL_RECORDS)) {
			result.written++;
			continue;
		}
		result.failed++;
		if (order.until_full)
			break;
	}
	return 0;
}
