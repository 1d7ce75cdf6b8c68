/* SPDX-License-Identifier: BSD-2-Clause */
/* libtcpretrans: every TCP retransmission of this host, from the kernel's own tracepoints.
 *
 *	open ─ poll ─ drain ─ ... ─ stop ─ drain ─ close      or      open ─ run(callback) ─ close
 *
 * One handle belongs to one thread at a time; different handles are independent. Only
 * tcpretrans_stop() may be called from any thread or signal handler. Functions return 0 or a
 * count, or -errno; nothing is printed and no global state is kept. A pointer that is NULL where
 * that is not allowed is -EINVAL.
 *
 * A handle is for the process that opened it. In a fork()ed child all that would wait, take, count or
 * stop return -ECHILD; tcpretrans_close() frees the child's copies there, and the parent goes on.
 */
#ifndef LIBTCPRETRANS_H
#define LIBTCPRETRANS_H

#include <stddef.h>
#include <stdint.h>
#include "tcpretrans_event.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TCPRETRANS_VERSION "0.1.0"

#if defined(__GNUC__)
#define TCPRETRANS_API __attribute__((visibility("default")))
#else
#define TCPRETRANS_API
#endif

struct tcpretrans; /* a running tracer */

/* How the programs are attached: from the best, which is tried first. */
enum tcpretrans_attach {
	TCPRETRANS_ATTACH_AUTO   = 0, /* the first of these, KPROBE aside, that works here */
	TCPRETRANS_ATTACH_TP_BTF = 1, /* typed tracepoints; needs the kernel's BTF */
	TCPRETRANS_ATTACH_RAW_TP = 2, /* raw tracepoints; needs BTF, the kernel's or a file */
	TCPRETRANS_ATTACH_TP     = 3, /* tracepoints of a mounted tracefs; needs no BTF, knows less */
	TCPRETRANS_ATTACH_KPROBE = 4, /* the function itself; needs BTF and a kernel with kprobes */
};

enum tcpretrans_buffer {
	TCPRETRANS_BUFFER_AUTO = 0,
	TCPRETRANS_BUFFER_RING = 1, /* BPF ring buffer */
	TCPRETRANS_BUFFER_PERF = 2, /* perf event buffers, one for each CPU: for older kernels */
};

/* Both ends belong to it. */
struct tcpretrans_range {
	uint16_t first;
	uint16_t last;
};

/* Addresses that agree in the first `bits` bits; what `address` holds behind them does not count. */
struct tcpretrans_prefix {
	uint8_t address[16]; /* in network order, IPv4 in the first four bytes */
	uint8_t family;      /* 4 or 6; IPv4-mapped IPv6 is 4 */
	uint8_t bits;
	uint8_t reserved[2]; /* 0 */
};

/* Conditions on an event. Each that is not 0 is one, and a list holds where one of its members does; a
 * condition on what is not known of an event does not hold. At most 65536 prefixes and numbers. */
struct tcpretrans_conditions {
	size_t   size;         /* sizeof(struct tcpretrans_conditions), as that of tcpretrans_opts */
	uint32_t family;       /* 4 or 6 */
	uint32_t states;       /* a bit for each state: 1 << TCP_ESTABLISHED ... */
	uint32_t reasons;      /* a bit for each: 1 << TCPRETRANS_REASON_RTO ...; not that of UNKNOWN */
	uint32_t reserved;     /* 0 */
	uint64_t min_stall_us; /* the data waited that long, or longer */
	const struct tcpretrans_range  *local_ports, *remote_ports, *ports; /* `ports`: one of the two */
	const struct tcpretrans_prefix *local, *remote, *address;           /* likewise */
	const uint32_t *netns;   /* inodes of network namespaces */
	const uint32_t *uids;
	const uint64_t *cgroups; /* inodes of cgroup v2 folders; what is in cgroups below counts too */
	const uint32_t *pids;    /* the owner's process, in the initial pid namespace */
	size_t n_local_ports, n_remote_ports, n_ports;
	size_t n_local, n_remote, n_address;
	size_t n_netns, n_uids, n_cgroups, n_pids;
};

/* An event passes where all of `only` hold and none of `never` does. SYN-ACKs are judged by their own
 * addresses and ports, and by their listener's namespace, uid, cgroup and owner. */
struct tcpretrans_filter {
	const struct tcpretrans_conditions *only;  /* or NULL */
	const struct tcpretrans_conditions *never; /* or NULL */
};

/* Zero is the default of every field. New fields are only appended, so `size` tells the library
 * which of them the caller knows: set it to sizeof(struct tcpretrans_opts). Nothing behind `size` is read.
 * What a newer program's struct holds beyond this one must be zero, and no size is above 4096: -E2BIG. */
struct tcpretrans_opts {
	size_t   size;
	char    *error;       /* where open puts one sentence when it fails, or NULL */
	size_t   error_size;  /* bytes at `error` */
	uint32_t ring_bytes;  /* ring buffer, a power of two and whole pages; 0 = 2 MiB for each CPU, but
			       * 4 to 64 MiB, and no more than 1/512 of the memory */
	uint32_t no_owners;   /* 1: do not find out whose sockets they are; see tcpretrans_drain() */
	uint32_t attach;      /* enum tcpretrans_attach */
	uint32_t buffer;      /* enum tcpretrans_buffer */
	const char *btf;      /* BTF file of this kernel, where it has none itself; or NULL */
	const struct tcpretrans_filter *filter; /* which events to see; NULL = all */
	uint32_t rate;        /* events a second that each socket may have; 0 = TCPRETRANS_DEFAULT_RATE */
	uint32_t burst;       /* that many at once; 0 = twice the rate */
	uint32_t count_by;    /* enum tcpretrans_count_by: no events, tcpretrans_counts() instead */
	uint32_t count_rows;  /* that are kept apart; 0 = 65,536, or 4,096 where only what the rate limit
			       * keeps back is counted */
	uint32_t prefix4;     /* bits of TCPRETRANS_COUNT_PREFIX, IPv4; 0 = 24 */
	uint32_t prefix6;     /* IPv6; 0 = 64 */
};

/* What a rate can be beside a number. SYN-ACKs count for the listener that they are sent by. */
#define TCPRETRANS_DEFAULT_RATE 10000
#define TCPRETRANS_NO_RATE      UINT32_MAX /* there is no limit */

/* What a tracer can do here, beyond telling of retransmits. */
enum tcpretrans_can {
	TCPRETRANS_CAN_LEDGER  = 1 << 0, /* segments are counted as RetransSegs counts them */
	TCPRETRANS_CAN_REASON  = 1 << 1, /* reasons; without it only `syn` and `synack` */
	TCPRETRANS_CAN_SYNACK  = 1 << 2, /* SYN-ACKs sent again are events too */
	TCPRETRANS_CAN_FAILED  = 1 << 3, /* attempts that the kernel could not send are events too */
	TCPRETRANS_CAN_SEED    = 1 << 4, /* sockets open at the start begin with what they had sent again */
	TCPRETRANS_CAN_SETTLE  = 1 << 5, /* what the last event of a socket missed is asked for at the end */
	TCPRETRANS_CAN_HOLDERS = 1 << 6, /* open files of all processes are searched for owners */
	TCPRETRANS_CAN_INHERIT = 1 << 7, /* connections not yet accepted belong to who listens */
	TCPRETRANS_CAN_COOKIE  = 1 << 8, /* a namespace's inode given away anew is told from the old one */
};

struct tcpretrans_capabilities {
	uint32_t attach; /* enum tcpretrans_attach: which one it is */
	uint32_t buffer; /* enum tcpretrans_buffer */
	uint64_t can;    /* enum tcpretrans_can */
	uint64_t known;  /* enum tcpretrans_known: bits that events may have here; the others never */
	uint64_t buffer_bytes; /* of the ring buffer, or of all perf buffers together */
};

/* What happened so far. Events and segments are counted in the kernel, where they happen. */
struct tcpretrans_stats {
	uint64_t events;        /* written into the ring */
	uint64_t segs;          /* segments in them (failed attempts carry none) */
	uint64_t failed;        /* of the events: attempts the kernel could not send (err != 0) */
	uint64_t lost;          /* events lost because the ring was full */
	uint64_t lost_segs;     /* segments in them */
	uint64_t filtered;      /* events that the filter kept back */
	uint64_t filtered_segs; /* segments in them */
	uint64_t missed;        /* times the kernel skipped a program (recursion), where it tells */
	uint64_t drained;       /* events handed to the caller */
	uint64_t failed_segs;   /* segments the kernel counted although it could not send them */
	uint64_t skipped_segs;  /* segments for which the kernel skipped the program */
	uint64_t limited;       /* events that the rate limit kept back */
	uint64_t limited_segs;  /* segments in them */
};

/* The account of one network namespace, in segments but for `events`. */
struct tcpretrans_netns {
	uint64_t cookie;        /* SO_NETNS_COOKIE, 0 where the kernel has none (before 5.12) */
	uint32_t netns;         /* inode; given away anew once the namespace is gone.
				 * 0: all that found no room among 4096 */
	uint32_t reserved;
	uint64_t events;
	uint64_t segs;
	uint64_t failed_segs;
	uint64_t lost_segs;
	uint64_t filtered_segs;
	uint64_t skipped_segs;
	uint64_t limited_segs;
};

/* Events counted in the kernel under one key: of its fields those by which is counted, others are 0. */
struct tcpretrans_count {
	uint64_t events;        /* failed attempts left out */
	uint64_t segs;          /* segments in them; 0 where segments are not counted */
	uint64_t bytes;         /* payload of the buffers sent; of SYN-ACKs none, nor where it is not known */
	uint64_t number;        /* port, pid, cgroup (as in events) or enum tcpretrans_reason; the last three
				 * are 0 where not known */
	uint8_t  saddr[16];     /* as in events */
	uint8_t  daddr[16];     /* of a prefix the first address */
	uint16_t sport;
	uint16_t dport;
	uint8_t  family;
	uint8_t  reserved[3];
};

struct tcpretrans_field {
	const char *name;
	uint32_t offset;
	uint32_t size;
};

struct tcpretrans_ndjson; /* writes events as lines of JSON; no tracer is needed for it */

enum tcpretrans_without {
	TCPRETRANS_WITHOUT_FAILED = 1 << 0, /* no lines for attempts that failed (`err`) */
	TCPRETRANS_WITHOUT_LABELS = 1 << 1, /* only what is in the event */
};

/* Where lines are written, and how. */
struct tcpretrans_text {
	size_t   size;           /* sizeof(struct tcpretrans_text) */
	char    *bytes;
	size_t   room;           /* bytes there */
	size_t   used;           /* of them; lines are added behind */
	int64_t  wall_offset_ns; /* CLOCK_REALTIME minus the host's CLOCK_MONOTONIC, which makes `time` of `ts_ns` */
	uint32_t without;        /* enum tcpretrans_without */
	uint32_t wants_label;    /* set to 1 where the next event has no label, else to 0 */
};

/* Return non-zero to end tcpretrans_run(), which then returns that value. */
typedef int (*tcpretrans_callback)(const struct tcpretrans_event *event, void *ctx);

/* Load and attach the programs. 0, or -errno with a sentence in opts->error:
 * -EPERM or -EACCES (rights), -EOPNOTSUPP (no way of attaching works here), -EINVAL (options), -ENOMEM ... */
TCPRETRANS_API int tcpretrans_open(const struct tcpretrans_opts *opts, struct tcpretrans **out);

/* Fill `capabilities`, of which the caller knows `size` bytes. */
TCPRETRANS_API int tcpretrans_capabilities(const struct tcpretrans *tracer,
					   struct tcpretrans_capabilities *capabilities, size_t size);

/* Why it is not more: a sentence a line, beginning with what it is about and a colon ("tp_btf: ...",
 * "stall_us: ..."); empty where nothing is missing, or without a tracer. Valid until close. */
TCPRETRANS_API const char *tcpretrans_notes(const struct tcpretrans *tracer);

/* Change the filter; NULL = all events. Each event is judged by the filter before or by this one, and
 * once this returns by this one; those already written stay. What fails changes nothing: 0, or -errno with
 * a sentence in `error`: -EINVAL (what cannot be, or what counting was not opened for: reasons, stall
 * and pids, where opts->filter had none), -EOPNOTSUPP (not known here), -EBUSY (drain first), -ENOMEM ... */
TCPRETRANS_API int tcpretrans_set_filter(struct tcpretrans *tracer, const struct tcpretrans_filter *filter,
					 char *error, size_t error_size);

/* Wait at most timeout_ms (-1 = for ever) until there is something to drain: 1 = there is,
 * 0 = time is up, -EINTR = a signal came, -ECANCELED = tcpretrans_stop() was called; by then the
 * programs are detached, and what the ring still holds can be drained. */
TCPRETRANS_API int tcpretrans_poll(struct tcpretrans *tracer, int timeout_ms);

/* Copy up to `n` events, oldest first, without waiting. Returns how many. An event whose owner is
 * not known at once, and all behind it, may be held back for up to 20 ms to find it; after
 * tcpretrans_stop() nothing is. */
TCPRETRANS_API int tcpretrans_drain(struct tcpretrans *tracer, struct tcpretrans_event *events, int n);

/* Call `callback` for each event until it returns non-zero (which is returned), until
 * tcpretrans_stop() (0, once the last event was passed on), or until a signal comes (-EINTR). */
TCPRETRANS_API int tcpretrans_run(struct tcpretrans *tracer, tcpretrans_callback callback, void *ctx);

/* End poll and run, now and from here on. Async-signal-safe. */
TCPRETRANS_API int tcpretrans_stop(struct tcpretrans *tracer);

/* Fill `stats`, of which the caller knows `size` bytes. */
TCPRETRANS_API int tcpretrans_stats(struct tcpretrans *tracer, struct tcpretrans_stats *stats, size_t size);

/* Fill up to `n` rows, one for each network namespace in which something was retransmitted.
 * Returns how many there are. */
TCPRETRANS_API int tcpretrans_netns(struct tcpretrans *tracer, struct tcpretrans_netns *rows, int n);

/* Fill up to `n` rows of what was counted in the kernel, in no order, all network namespaces together;
 * and `beyond` with what belongs to none of them, since opts->count_rows were there already. Returns how
 * many rows there are. With opts->count_by what all rows and `beyond` come to is what tcpretrans_stats()
 * tells of events that did not fail. Without, it is what the rate limit kept back, by flow, failed
 * attempts included; SYN-ACKs by listener, with no remote end. */
TCPRETRANS_API int tcpretrans_counts(struct tcpretrans *tracer, struct tcpretrans_count *rows, int n,
				     struct tcpretrans_count *beyond);

/* Read the kernel's own RetransSegs of the network namespace whose file is open at `netns_fd`
 * (/proc/PID/ns/net, /run/netns/NAME), and its cookie (0: the kernel has none). With a tracer, first
 * have the programs look at each open socket there, so that tcpretrans_netns() misses nothing. The
 * calling thread visits that namespace for a moment, which needs CAP_SYS_ADMIN; -ENOTRECOVERABLE: it
 * could not come back, because the rights were taken away meanwhile. */
TCPRETRANS_API int tcpretrans_kernel_segs(struct tcpretrans *tracer, int netns_fd, uint64_t *segs,
					  uint64_t *cookie);

/* Give up, for good, what a tracer that is open does not need any more: become `uid` and `gid`, with no
 * further groups and with no capability but those of tcpretrans_lasting_rights(); no program run from
 * here gets any back (no_new_privs). The process must have one thread only (-EBUSY), since others
 * would keep theirs. Namespaces other than the process's own can then be visited no more. After any
 * other failure (-EPERM: no right to become that user) what was given up is not known: end then. */
TCPRETRANS_API int tcpretrans_drop_rights(uint32_t uid, uint32_t gid);

/* The capabilities that a tracer needs on this kernel once it is open, a bit for each number: none, or
 * CAP_BPF where the kernel refuses every bpf() call without it (older ones, with
 * unprivileged_bpf_disabled), CAP_SYS_ADMIN where there is no CAP_BPF. Tries, so the calling thread's
 * capabilities are out of effect for a moment. */
TCPRETRANS_API uint64_t tcpretrans_lasting_rights(void);

/* A descriptor for select, poll or epoll: readable when there may be something to drain. It may
 * also wake for nothing; calling tcpretrans_poll(tracer, 0) tells, and makes it unreadable again.
 * While it stays unreadable, nothing is waiting for longer than 25 ms. */
TCPRETRANS_API int tcpretrans_fd(const struct tcpretrans *tracer);

TCPRETRANS_API int tcpretrans_ndjson_open(struct tcpretrans_ndjson **out);

/* Write a line for each event, as `trace --json` does (docs/fields.md). Returns how many events are
 * done. Fewer than `n`: the next one wants a label (`wants_label`: hand it over, go on), or the room
 * is full. -ENOBUFS: no room for a single line; 64 KiB have room for it and a label of 60,000 bytes. */
TCPRETRANS_API int tcpretrans_ndjson_write(struct tcpretrans_ndjson *writer,
					   const struct tcpretrans_event *events, int n,
					   struct tcpretrans_text *text);

/* Give a label, members of a JSON object (`"pod":"a","user":null`, or empty), to this event and those
 * up to `until_ns` (as in `ts_ns`) that have its cgroup, namespace, user and owner. It is copied as
 * it is. 4,096 labels and 1 MiB of them are remembered. -E2BIG: longer than 256 KiB. */
TCPRETRANS_API int tcpretrans_ndjson_label(struct tcpretrans_ndjson *writer,
					   const struct tcpretrans_event *event, const char *members,
					   uint64_t until_ns);

/* NULL is fine. */
TCPRETRANS_API void tcpretrans_ndjson_close(struct tcpretrans_ndjson *writer);

/* The layout of struct tcpretrans_event: `*count` rows. NULL where `count` is. */
TCPRETRANS_API const struct tcpretrans_field *tcpretrans_fields(size_t *count);

/* "0.1.0 abi 2": the library's version and TCPRETRANS_ABI_VERSION. */
TCPRETRANS_API const char *tcpretrans_version(void);

/* Detach and free everything. NULL is fine. Not from inside a callback. */
TCPRETRANS_API void tcpretrans_close(struct tcpretrans *tracer);

#ifdef __cplusplus
}
#endif

#endif
