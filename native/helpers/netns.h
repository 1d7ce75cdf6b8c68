/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own count of retransmitted segments in a network namespace. */
#ifndef NETNS_H
#define NETNS_H

#include <stdint.h>

/* See tcpretrans_kernel_segs(). 0 or -errno. */
int netns_read(int netns_fd, uint64_t *segs, uint64_t *cookie);

#endif
