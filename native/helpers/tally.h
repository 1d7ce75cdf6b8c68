/* SPDX-License-Identifier: BSD-2-Clause */
/* Adding up what the programs counted. */
#ifndef TALLY_H
#define TALLY_H

#include "../libtcpretrans.h"

struct programs;

/* Up to `n` network namespaces. Returns how many there are, or -errno. */
int tally_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n);

/* All of them together. 0 or -errno. */
int tally_all(const struct programs *programs, struct tcpretrans_stats *stats);

#endif
