/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Jiffies in a second.
 *
 * The kernel starts counting 300 seconds before the counter's 32-bit half wraps (INITIAL_JIFFIES),
 * so jiffies and the monotonic clock together tell which of the possible rates it has.
 */
#ifndef JIFFIES_H
#define JIFFIES_H

static __u32 known_hz;

static __always_inline bool fits(__u64 jiffies, __u64 now_ms, __u64 hz)
{
	__u64 since_start = jiffies - ((1ULL << 32) - 300 * hz);
	__u64 expected = now_ms * hz / 1000;
	__u64 off = since_start > expected ? since_start - expected : expected - since_start;

	return off < expected / 50 + 2 * hz;
}

/* 0 where no rate fits, or several: some minutes after the start, when that half wraps, all do. */
static __always_inline __u32 hz(void)
{
	__u64 jiffies, now_ms;
	bool at_1000, at_300, at_250, at_100;

	if (known_hz)
		return known_hz;
	if (!bpf_core_enum_value_exists(enum bpf_func_id___some, BPF_FUNC_jiffies64___some))
		return 0;
	jiffies = bpf_jiffies64();
	now_ms = bpf_ktime_get_ns() / 1000000;
	at_1000 = fits(jiffies, now_ms, 1000);
	at_300 = fits(jiffies, now_ms, 300);
	at_250 = fits(jiffies, now_ms, 250);
	at_100 = fits(jiffies, now_ms, 100);
	if (at_1000 + at_300 + at_250 + at_100 == 1)
		known_hz = at_1000 ? 1000 : at_300 ? 300 : at_250 ? 250 : 100;
	return known_hz;
}

#endif
