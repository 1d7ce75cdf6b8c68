/* SPDX-License-Identifier: BSD-2-Clause */
#include "hooks.h"

#include <stddef.h>
#include <string.h>
#include "kernel_btf.h"
#include "notes.h"
#include "../libtcpretrans.h"

static const struct hook {
	const char *program;
	const char *tracepoint; /* that it needs, or NULL */
	const char *iterator;   /* the kernel's function for it, or NULL */
	uint64_t gives;
	const char *without;    /* NULL: nothing that a user would notice */
} hooks[] = {
	{ "on_retransmit_synack", "tcp_retransmit_synack", NULL, TCPRETRANS_CAN_SYNACK,
	  "synack: SYN-ACKs sent again are not traced, and stay unexplained in the ledger" },
	{ "on_outer_call", NULL, NULL, 0,
	  "kprobe: tcp_retransmit_skb cannot be hooked, and where the compiler put __tcp_retransmit_skb "
	  "into it, all but tail loss probes are missed" },
	{ "on_skipped_retransmit_skb", "tcp_retransmit_skb", NULL, 0, NULL },
	{ "on_set_state", "inet_sock_set_state", NULL, 0,
	  "owner: who connected, listened or closed is not noticed, so that more owners are unknown" },
	{ "on_destroy_sock", "tcp_destroy_sock", NULL, 0, NULL },
	{ "on_cong_state_set", "tcp_cong_state_set", NULL, 0,
	  "stall_us: only known where the buffer before was just sent again, or for a probe" },
	{ "look_at_open_socket", NULL, "bpf_iter_task_file", TCPRETRANS_CAN_SEED,
	  "seed: of sockets open at the start, the first event may count too much or too little" },
	{ "settle_open_socket", NULL, "bpf_iter_tcp", TCPRETRANS_CAN_SETTLE,
	  "settle: what the kernel sent again without telling us shows as unexplained until the socket "
	  "closes" },
	{ "find_holders", NULL, "bpf_iter_task_file", TCPRETRANS_CAN_HOLDERS,
	  "holders: owners are not searched for in the open files of processes, so that more are unknown" },
};

static const struct hook *find(const char *program)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		if (!strcmp(hooks[i].program, program))
			return &hooks[i];
	return NULL;
}

uint64_t hook_gives(const char *program)
{
	const struct hook *hook = find(program);

	return hook ? hook->gives : 0;
}

bool hook_is_possible(const char *program, const struct btf *btf, bool own, struct notes *notes)
{
	const struct hook *hook = find(program);

	if (!hook)
		return false;
	if (hook->tracepoint && kernel_btf_tracepoint_args(btf, hook->tracepoint) < 0) {
		if (hook->without)
			note(notes, "%s (this kernel has no tracepoint %s)", hook->without, hook->tracepoint);
		return false;
	}
	if (hook->iterator && (!own || !kernel_btf_has_function(btf, hook->iterator))) {
		note(notes, "%s (this kernel %s)", hook->without,
		     own ? "has no such iterator" : "gives no type information, which iterators need");
		return false;
	}
	return true;
}

void hook_refused(const char *program, const char *reason, struct notes *notes)
{
	const struct hook *hook = find(program);

	if (hook && hook->without)
		note(notes, "%s (the kernel refuses the program %s: %s)", hook->without, program, reason);
}
