/* SPDX-License-Identifier: BSD-2-Clause */
#include "attempt.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>
#include "kernel_btf.h"
#include "netns.h"
#include "rights.h"
#include "tracefs.h"

/* 0 or -errno; -EINVAL: the kernel does not know them. */
static int make_ring(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, sysconf(_SC_PAGESIZE), NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int ask_buffer(struct attempt *attempt)
{
	uint32_t wish = attempt->opts->buffer;
	int err = make_ring();
	bool missing = wish != TCPRETRANS_BUFFER_PERF && err == -EINVAL;

	if (err == -EPERM)
		return explain_forbidden(attempt->why, err);

	if (missing && wish == TCPRETRANS_BUFFER_RING)
		return explain(attempt->why, -EOPNOTSUPP, "this kernel has no BPF ring buffer (Linux 5.8); "
			       "use perf buffers instead");
	if (missing)
		note(&attempt->programs->notes, "ring: this kernel has no BPF ring buffer (Linux 5.8), so "
		     "perf buffers are used, at some more cost");
	attempt->settings.has_ring = wish != TCPRETRANS_BUFFER_PERF && !missing;
	attempt->programs->can.buffer = attempt->settings.has_ring ? TCPRETRANS_BUFFER_RING :
								     TCPRETRANS_BUFFER_PERF;
	return 0;
}

/* How the tracepoint is called is asked of the kernel. */
static int ask_tracepoint(struct attempt *attempt)
{
	const struct explain *why = attempt->why;
	int args = kernel_btf_tracepoint_args(attempt->btf, "tcp_retransmit_skb");

	if (args == -ENOENT && !attempt->own_btf)
		return explain(why, -EINVAL, "the BTF file %s does not say how tcp:tcp_retransmit_skb is "
			       "called; take the whole BTF of this very kernel, not a part of it",
			       attempt->opts->btf);
	if (args == -ENOENT)
		return explain(why, -EOPNOTSUPP, "this kernel has no tracepoint tcp:tcp_retransmit_skb "
			       "in its type information; Linux 4.15 or later is needed");
	if (args != 2 && args != 3)
		return explain(why, -EOPNOTSUPP, "this kernel calls tcp:tcp_retransmit_skb with %d "
			       "arguments; this version knows the shapes with two and three", args);
	attempt->settings.has_err = args == 3;
	return 0;
}

static void note_limits(struct attempt *attempt)
{
	const struct tcpretrans_settings *settings = &attempt->settings;
	struct notes *notes = &attempt->programs->notes;

	if (!settings->has_err && attempt->number != TCPRETRANS_ATTACH_KPROBE)
		note(notes, "failed: attempts that the kernel could not send are not told (Linux 6.17); "
		     "those that it counted show as lost in the ledger");
	if (!settings->has_storage)
		note(notes, "inherit: programs of this kind have no socket storage here (tp_btf, Linux "
		     "5.11), so owners of connections not yet accepted are unknown");
	if (!settings->has_netns_cookie)
		note(notes, "cookie: network namespaces have no cookies here (Linux 5.14), so one with the "
		     "inode of an earlier one is taken for that");
	if (!rights_see_all_processes() && !attempt->opts->no_owners)
		note(notes, "holders: in a pid namespace of its own, as in a container, a tracer is shown "
		     "the open files of the processes in there only, so that owners of older sockets "
		     "outside are unknown; start it with the host's pids (--pid=host)");
	if (!kernel_btf_has_member(attempt->btf, "tcp_sock", "bytes_sent") ||
	    !kernel_btf_has_member(attempt->btf, "tcp_sock", "reord_seen"))
		attempt->programs->can.known &= ~(uint64_t)TCPRETRANS_KNOWN_BYTES;
}

/* With type information. */
int ask_btf(struct attempt *attempt)
{
	struct tcpretrans_settings *settings = &attempt->settings;
	bool typed = attempt->number == TCPRETRANS_ATTACH_TP_BTF;
	bool kprobe = attempt->number == TCPRETRANS_ATTACH_KPROBE;
	int err = kernel_btf_load(attempt->opts->btf, &attempt->btf, attempt->why);

	attempt->own_btf = !attempt->opts->btf;
	err = err ?: kprobe ? err : ask_tracepoint(attempt);
	if (err)
		return err;
	settings->has_storage = typed && kernel_btf_has_function(attempt->btf, "bpf_sk_storage_get_tracing");
	settings->has_sock_from_file = kernel_btf_has_function(attempt->btf, "bpf_sock_from_file");
	settings->has_netns_cookie = netns_has_cookies();
	attempt->programs->can.can |= (settings->has_err ? TCPRETRANS_CAN_FAILED : 0) |
				      (settings->has_storage ? TCPRETRANS_CAN_INHERIT : 0) |
				      (settings->has_netns_cookie ? TCPRETRANS_CAN_COOKIE : 0);
	note_limits(attempt);
	if (kprobe)
		note(&attempt->programs->notes, "ledger: a kprobe sees attempts before they are made, so "
		     "that err and segs are unknown");
	return 0;
}

static int ask_record(struct attempt *attempt, const char *name, struct tcpretrans_offsets *at)
{
	const struct tracefs_field fields[] = {
		{ "skaddr", &at->skaddr }, { "sport", &at->sport }, { "dport", &at->dport },
		{ "saddr_v6", &at->saddr_v6 }, { "daddr_v6", &at->daddr_v6 }, { "state", &at->state },
		{ "err", &at->err }, { "newstate", &at->newstate }, { "protocol", &at->protocol },
	};
	int err = tracefs_offsets(attempt->events, name, fields, sizeof(fields) / sizeof(*fields));

	if (!err && (!at->skaddr || !at->sport || !at->dport || !at->saddr_v6 || !at->daddr_v6))
		err = -EPROTO;
	return err;
}

/* The records beside the one that everything is about. */
static void ask_more_records(struct attempt *attempt)
{
	struct tcpretrans_settings *settings = &attempt->settings;
	struct programs *programs = attempt->programs;

	if (ask_record(attempt, "tcp/tcp_retransmit_synack", &settings->synack)) {
		settings->synack.skaddr = 0;
		note(&programs->notes, "synack: the record of tcp:tcp_retransmit_synack is not there, or lacks "
		     "fields, so that SYN-ACKs sent again are not traced");
	}
	if (ask_record(attempt, "sock/inet_sock_set_state", &settings->set_state) ||
	    !settings->set_state.newstate || !settings->set_state.protocol) {
		settings->set_state.skaddr = 0;
		programs->can.known &= ~(uint64_t)TCPRETRANS_KNOWN_OWNER;
		note(&programs->notes, "owner: the record of sock:inet_sock_set_state is not there, or lacks "
		     "fields, so that owners are unknown");
		return;
	}
	note(&programs->notes, "owner: who connected or listened is told, but not whether it still has the "
	     "socket");
}

/* Without: from the records' descriptions. */
int ask_tracefs(struct attempt *attempt)
{
	struct tcpretrans_settings *settings = &attempt->settings;
	struct notes *notes = &attempt->programs->notes;
	int err = tracefs_find(attempt->events, sizeof(attempt->events), attempt->why);

	if (attempt->opts->count_by == TCPRETRANS_COUNT_CGROUP)
		return explain(attempt->why, -EOPNOTSUPP, "the records of tracefs tell no cgroups; count by "
			       "something else");
	if (err)
		return err;
	err = ask_record(attempt, "tcp/tcp_retransmit_skb", &settings->skb);
	if (!err && !settings->skb.state)
		err = -EPROTO;
	if (out_of_descriptors(err))
		return err;
	if (err == -EACCES || err == -EPERM)
		return tracefs_explain_closed(attempt->why);
	if (err)
		return explain(attempt->why, -EOPNOTSUPP, "%s/tcp/tcp_retransmit_skb/format: %s; Linux 4.15 "
			       "or later is needed", attempt->events,
			       err == -EPROTO ? "it lacks fields" : strerror(-err));
	settings->has_err = settings->skb.err != 0;
	attempt->programs->can.can |= settings->has_err ? TCPRETRANS_CAN_FAILED : 0;
	note(notes, "ledger: the record of this tracepoint does not say how many segments it was, nor "
	     "in whose namespace");
	note(notes, "reason: only 'syn' and 'synack' can be told from these records");
	ask_more_records(attempt);
	return 0;
}
