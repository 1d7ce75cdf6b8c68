/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracepoints as tracefs shows them: what their records hold, and attaching to them. */
#ifndef TRACEFS_H
#define TRACEFS_H

#include <stdint.h>
#include "explain.h"

/* The folder `events` of a mounted tracefs, this host's or below /host, as in a debug container.
 * 0, or -errno with a sentence. Nothing is ever mounted. */
int tracefs_find(char *events, size_t size, const struct explain *why);

/* It may not be read. Returns -EACCES. */
int tracefs_explain_closed(const struct explain *why);

/* One field of a tracepoint's record. */
struct tracefs_field {
	const char *name;
	uint16_t *offset; /* where to put its place; 0 = there is none */
};

/* Look up `n` fields of tracepoint `name` ("tcp/tcp_retransmit_skb"). 0, or -errno (-ENOENT: no such
 * tracepoint). */
int tracefs_offsets(const char *events, const char *name, const struct tracefs_field *fields, int n);

/* A perf event of that tracepoint, on all CPUs, to which a program can be attached. A descriptor, or
 * -errno. */
int tracefs_open(const char *events, const char *name);

#endif
