// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel takes for a program on this hook that does nothing. */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/tcp_retransmit_skb")
int empty(void *ctx)
{
	return 0;
}
