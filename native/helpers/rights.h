/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process may do, and giving that up. */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the effective capabilities allow tracing programs: CAP_SYS_ADMIN, or CAP_BPF together
 * with CAP_PERFMON (Linux 5.8). */
bool rights_suffice(void);

/* Whether the kernel is locked down so far that programs may not read its memory, whoever loads them. */
bool rights_are_locked_down(void);

/* Whether they count only inside a user namespace, as for root in a rootless container. */
bool rights_are_local(void);

/* Whether this process is in the first pid namespace, so that iterators show it all processes. */
bool rights_see_all_processes(void);

/* The capabilities without which this kernel refuses what a tracer does once it runs; tried, not
 * concluded from its version. */
uint64_t rights_lasting(void);

/* See tcpretrans_drop_rights(). */
int rights_drop(uint32_t uid, uint32_t gid);

#endif
