/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>

/* A tracepoint shows in BTF as: typedef void (*btf_trace_NAME)(void *, ARGUMENTS...); */
static int count_args(const struct btf *btf, const char *tracepoint)
{
	const struct btf_type *type;
	char name[128];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!btf_is_ptr(type))
		return -EINVAL;
	type = btf__type_by_id(btf, type->type);
	if (!btf_is_func_proto(type) || btf_vlen(type) < 1)
		return -EINVAL;
	return btf_vlen(type) - 1;
}

int kernel_btf_tracepoint_args(const char *tracepoint)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int args;

	if (!btf)
		return -errno;
	args = count_args(btf, tracepoint);
	btf__free(btf);
	return args;
}
