/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel's type information (BTF) tells about the kernel. */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

#include <stdbool.h>
#include "explain.h"

#define KERNEL_BTF_FILE "/sys/kernel/btf/vmlinux"

struct btf;

/* The kernel's own BTF, or where `path` is given that file's. 0, or -errno with a sentence. */
int kernel_btf_load(const char *path, struct btf **btf, const struct explain *why);

/* How many arguments a tracepoint passes, -ENOENT where there is no such tracepoint. */
int kernel_btf_tracepoint_args(const struct btf *btf, const char *tracepoint);

bool kernel_btf_has_function(const struct btf *btf, const char *name);
bool kernel_btf_has_member(const struct btf *btf, const char *struct_name, const char *member);

#endif
