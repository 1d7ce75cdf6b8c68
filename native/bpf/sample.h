/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a program reads of a socket of which the loader knows what is in it. With a BTF file that may be
 * the one of another kernel, and then it is something else. */
#ifndef SAMPLE_H
#define SAMPLE_H

struct tcpretrans_sample {
	uint32_t netns;
	uint32_t ssthresh;
	uint16_t port;
	uint16_t family;
	char     ca_name[16];
};

#ifdef __bpf__
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcpretrans_sample);
} samples SEC(".maps");

static __always_inline void take_sample(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct tcp_sock *tp = (const void *)sk;
	__u32 zero = 0;
	struct tcpretrans_sample *sample = bpf_map_lookup_elem(&samples, &zero);

	if (!sample)
		return;
	sample->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	sample->ssthresh = BPF_CORE_READ(tp, snd_ssthresh);
	sample->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	sample->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	bpf_probe_read_kernel_str(sample->ca_name, sizeof(sample->ca_name),
				  BPF_CORE_READ(icsk, icsk_ca_ops)->name);
}
#endif

#endif
