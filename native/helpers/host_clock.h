/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CLOCK_MONOTONIC, which BPF programs have; in a time namespace clock_gettime() has another. */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H

#include <stdint.h>

/* What CLOCK_MONOTONIC of this process is ahead of the host's; 0 where that cannot be told. */
int64_t host_clock_ahead_ns(void);

uint64_t host_clock_now_ns(int64_t ahead_ns);

#endif
