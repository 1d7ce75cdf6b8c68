/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process may do. */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>

/* Whether the effective capabilities allow tracing programs: CAP_SYS_ADMIN, or CAP_BPF together
 * with CAP_PERFMON (Linux 5.8). */
bool rights_suffice(void);

/* Whether the kernel is locked down so far that programs may not read its memory, whoever loads them. */
bool rights_are_locked_down(void);

/* Whether they count only inside a user namespace, as for root in a rootless container. */
bool rights_are_local(void);

#endif
