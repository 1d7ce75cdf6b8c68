/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own count of retransmitted segments in a network namespace. */
#ifndef NETNS_H
#define NETNS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the kernel gives namespaces cookies, and tells them (SO_NETNS_COOKIE, Linux 5.14). */
bool netns_has_cookies(void);

/* The inode of this thread's network namespace, 0 where it cannot be told. */
uint32_t netns_of_here(void);

/* See tcpretrans_kernel_segs(). `first` is called inside the namespace, before the counter is read.
 * 0 or -errno. */
int netns_read(int netns_fd, void (*first)(void *), void *of_first, uint64_t *segs, uint64_t *cookie);

#endif
