/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs of a BPF object beside the one that everything is about: what each needs of the
 * kernel, and what is missing without it. None of them is worth giving up for. */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_program;
struct btf;
struct notes;

/* The bits of tcpretrans_capabilities.can that a program stands for. */
uint64_t hook_gives(const char *program);

/* Whether the kernel has what the program hooks into; else a note says what is missing. `own`: the BTF
 * is the kernel's own and not a file's. */
bool hook_is_possible(const char *program, const struct btf *btf, bool own, struct notes *notes);

/* The kernel refused the program, and said why. */
void hook_refused(const char *program, const char *reason, struct notes *notes);

#endif
