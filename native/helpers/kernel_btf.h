/* SPDX-License-Identifier: BSD-2-Clause */
/* What the running kernel's type information says about its tracepoints. */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

/* Number of arguments with which the kernel calls the programs on a tracepoint; -ENOENT: the
 * kernel has no such tracepoint; another -errno: its BTF cannot be read. */
int kernel_btf_tracepoint_args(const char *tracepoint);

#endif
