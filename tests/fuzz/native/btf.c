/* SPDX-License-Identifier: BSD-2-Clause */
/* The BTF file of `--btf`: any bytes as a file (raw BTF or ELF), and what is then asked of it. */
#define _GNU_SOURCE /* memfd_create */
#include "btf_input.h"

#include <bpf/btf.h>
#include <errno.h>
#include "hooks.h"
#include "kernel_btf.h"
#include "notes.h"

static const char *const programs[] = {
	"on_retransmit_skb", "on_retransmit_synack", "on_outer_call", "on_skipped_retransmit_skb",
	"on_set_state", "on_destroy_sock", "on_cong_state_set", "look_at_open_socket",
	"settle_open_socket", "find_holders",
};

static void ask(const struct btf *btf)
{
	struct notes notes = {};
	int args = kernel_btf_tracepoint_args(btf, "tcp_retransmit_skb");

	MUST((args >= 0 && args <= 0xffff) || args == -ENOENT || args == -EINVAL);
	kernel_btf_has_member(btf, "tcp_sock", "bytes_sent");
	kernel_btf_has_function(btf, "bpf_sk_storage_get_tracing");
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		hook_is_possible(programs[i], btf, false, &notes);
		hook_is_possible(programs[i], btf, true, &notes);
	}
	MUST(memchr(notes.text, '\0', sizeof(notes.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char sentence[512];
	const struct explain why = { sentence, sizeof(sentence) };
	struct btf *btf = (struct btf *)bytes; /* to see that it is set */
	int err;

	write_file(bytes, size);
	memset(sentence, 'x', sizeof(sentence));
	err = kernel_btf_load(path, &btf, &why);
	MUST(err <= 0 && !btf == !!err);
	if (!err)
		ask(btf);
	else
		MUST(memchr(sentence, '\0', sizeof(sentence)) && strstr(sentence, path) &&
		     !strchr(sentence, '\n'));
	btf__free(btf);
	return 0;
}
