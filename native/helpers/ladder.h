/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways of attaching, tried from the best: typed tracepoints, raw ones, records of tracefs. Each is
 * tried for real; what a kernel can do is never guessed from its version. */
#ifndef LADDER_H
#define LADDER_H

#include "explain.h"
#include "../libtcpretrans.h"

struct programs;

/* Load and attach what works best, or what `opts` ask for. 0, or -errno with a sentence; then
 * programs_free() frees what is there. */
int ladder_climb(struct programs *programs, const struct tcpretrans_opts *opts,
		 const struct explain *why);

#endif
