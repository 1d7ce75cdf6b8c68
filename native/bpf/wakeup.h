/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How programs and reader share the work of noticing events. */
#ifndef WAKEUP_H
#define WAKEUP_H

/* The programs wake the reader when they have not done so for that long. */
#define TCPRETRANS_QUIET_NS 20000000

/* After fetching events the reader looks again by itself that much later: a little more, so that
 * no event falls between the two. */
#define TCPRETRANS_LOOK_AGAIN_NS 25000000

#endif
