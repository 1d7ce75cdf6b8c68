/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "btf_file.h"

bool kernel_btf_has_member(const struct btf *btf, const char *struct_name, const char *member)
{
	int id = btf__find_by_name_kind(btf, struct_name, BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			return true;
	return false;
}

/* Each architecture has its own registers. */
static bool is_of_this_machine(const struct btf *btf)
{
#if defined(__x86_64__)
	return kernel_btf_has_member(btf, "pt_regs", "di");
#elif defined(__aarch64__)
	return kernel_btf_has_member(btf, "user_pt_regs", "pstate");
#else
	return true;
#endif
}

/* What is read out of sockets must be in there, or it is the BTF of something else. */
static bool describes_kernel(const struct btf *btf)
{
	return kernel_btf_has_member(btf, "sock", "__sk_common") &&
	       kernel_btf_has_member(btf, "tcp_sock", "total_retrans");
}

/*
 * libbpf follows typedefs and qualifiers to their end. In a damaged file they can go round in circles.
 * No real one has more than a few, and libbpf itself resolves no more than 32.
 */
static bool goes_in_circles(const struct btf *btf)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		int depth = 0;

		while (btf_is_mod(type) || btf_is_typedef(type)) {
			if (++depth > 32)
				return true;
			type = btf__type_by_id(btf, type->type);
		}
	}
	return false;
}

/* libbpf divides by the size of the number that a bit-field is a part of. */
static bool has_broken_bit_field(const struct btf *btf)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id), *number;

		for (int i = 0; btf_is_composite(type) && i < btf_vlen(type); i++) {
			if (!btf_member_bitfield_size(type, i))
				continue;
			number = btf__type_by_id(btf, btf__resolve_type(btf, btf_members(type)[i].type));
			if (!number || (!btf_is_int(number) && !btf_is_any_enum(number)) || !number->size)
				return true;
		}
	}
	return false;
}

static int parse(const char *path, struct btf **btf)
{
	int err = btf_file_check(path);

	*btf = NULL;
	if (err)
		return err;
	*btf = btf__parse(path, NULL);
	if (!*btf)
		return -errno;
	return goes_in_circles(*btf) || has_broken_bit_field(*btf) ? -EINVAL : 0;
}

static int explain_memory(const struct explain *why)
{
	return explain(why, -ENOMEM, "there is not enough memory to read the kernel's type information "
		       "(some 20 MB); raise the memory limit (ulimit -v)");
}

static int load_file(const char *path, struct btf **btf, const struct explain *why)
{
	int err = parse(path, btf);

	if (err == -EMFILE || err == -ENFILE)
		return err;
	if (err == -ENOMEM)
		return explain_memory(why);
	if (err == -ENOENT || err == -EACCES || err == -ENOTDIR)
		return explain(why, -EINVAL, "the BTF file %s cannot be read: %s", path, strerror(-err));
	if (err)
		err = explain(why, -EINVAL, "%s is no BTF file, or a damaged one; take a copy of "
			      KERNEL_BTF_FILE " from a machine with this very kernel, or the kernel's "
			      "vmlinux", path);
	else if (!describes_kernel(*btf))
		err = explain(why, -EINVAL, "the BTF file %s does not describe a kernel's TCP sockets; take "
			      "that of this very kernel", path);
	else if (!is_of_this_machine(*btf))
		err = explain(why, -EINVAL, "the BTF file %s is that of a kernel for another architecture; "
			      "take that of this very kernel", path);
	if (err) {
		btf__free(*btf);
		*btf = NULL;
	}
	return err;
}

static int explain_missing(int err, const struct explain *why)
{
	if (err == -EMFILE || err == -ENFILE)
		return err;
	if (err == -ENOMEM)
		return explain_memory(why);
	if (access(KERNEL_BTF_FILE, F_OK))
		return explain(why, -EOPNOTSUPP, "this kernel gives no type information ("
			       KERNEL_BTF_FILE " is missing); use a kernel built with "
			       "CONFIG_DEBUG_INFO_BTF=y (and a mounted /sys), or bring a BTF file of it "
			       "(--btf)");
	return explain(why, -EOPNOTSUPP, "the kernel's type information (" KERNEL_BTF_FILE ") cannot be "
		       "read: %s; check that /sys is mounted and readable", strerror(-err));
}

int kernel_btf_load(const char *path, struct btf **btf, const struct explain *why)
{
	if (path)
		return load_file(path, btf, why);
	*btf = btf__load_vmlinux_btf();
	return *btf ? 0 : explain_missing(-errno, why);
}

/* A tracepoint shows in BTF as: typedef void (*btf_trace_NAME)(void *, ARGUMENTS...); */
int kernel_btf_tracepoint_args(const struct btf *btf, const char *tracepoint)
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

bool kernel_btf_has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}
