/* SPDX-License-Identifier: BSD-2-Clause */
#include "ladder.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hooks.h"
#include "kernel_btf.h"
#include "netns.h"
#include "programs.h"
#include "rights.h"
#include "tracefs.h"
#include "../bpf/settings.h"
#include "tcpretrans.skel.h"

#define DEFAULT_BUFFER_BYTES (4U << 20)
#define WAKEUP_BYTES         (64U << 10)
#define LOG_BYTES            (64U << 10)
#define REASON_BYTES         512

/* One way of attaching. */
struct rung {
	const char *name;
	const void *(*object)(size_t *size);
	const char *main;  /* the program that everything is about */
	uint64_t can;      /* beyond what each hook gives (hooks.h) */
	uint64_t known;
};

static const struct rung rungs[] = {
	[TCPRETRANS_ATTACH_TP_BTF] = { "tp_btf", typed_bpf__elf_bytes, "on_retransmit_skb",
		TCPRETRANS_CAN_LEDGER | TCPRETRANS_CAN_REASON, ~0ULL },
	[TCPRETRANS_ATTACH_RAW_TP] = { "raw_tp", untyped_bpf__elf_bytes, "on_retransmit_skb",
		TCPRETRANS_CAN_LEDGER | TCPRETRANS_CAN_REASON, ~0ULL },
	[TCPRETRANS_ATTACH_TP] = { "tp", tracefs_bpf__elf_bytes, "on_retransmit_skb",
		0, TCPRETRANS_KNOWN_OWNER },
	[TCPRETRANS_ATTACH_KPROBE] = { "kprobe", untyped_bpf__elf_bytes, "on_call_retransmit_skb",
		TCPRETRANS_CAN_REASON, ~0ULL },
};

/* The state of one try. */
struct attempt {
	const struct tcpretrans_opts *opts;
	const struct rung *rung;
	struct programs *programs;
	struct tcpretrans_settings settings;
	struct btf *btf;
	bool own_btf;
	char events[PATH_MAX];    /* of tracefs */
	char *logs;               /* one for each program */
	bool refused[MAX_PROGRAMS];
	const struct explain *why;
};

static bool is_out_of_descriptors(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

static char *log_of(const struct attempt *attempt, int place)
{
	return attempt->logs + place * LOG_BYTES;
}

static bool is_main(const struct attempt *attempt, const struct bpf_program *program)
{
	return !strcmp(bpf_program__name(program), attempt->rung->main);
}

static int explain_load(const struct attempt *attempt, int err, char *log)
{
	const struct explain *why = attempt->why;

	if (is_out_of_descriptors(err))
		return err; /* the log, if there is one, is not about that */
	if (log)
		return explain(why, -EOPNOTSUPP, "this kernel refuses a BPF program: %s; please report "
			       "this sentence with the output of 'uname -r'", explain_verifier(log));
	if (err == -EPERM && !rights_suffice())
		return explain(why, err, "loading BPF programs needs root, or CAP_BPF and CAP_PERFMON "
			       "(CAP_SYS_ADMIN before Linux 5.8); run as root or with sudo");
	if (err == -EPERM && rights_are_local())
		return explain(why, err, "the rights held here count only inside a user namespace, and "
			       "loading BPF programs needs those of the host; run as the host's root, "
			       "outside of rootless containers");
	if (err == -EPERM)
		return explain(why, err, "the kernel forbids loading BPF programs although the rights "
			       "suffice: a container's seccomp profile, the kernel's lockdown mode or, "
			       "before Linux 5.11, the limit of locked memory (ulimit -l) forbids it; "
			       "allow bpf() there, raise the limit, or run on the host");
	if (err == -ENOMEM)
		return explain(why, err, "the kernel has no memory for a buffer of %zu bytes; ask for a "
			       "smaller one or raise the memory limit", attempt->programs->buffer_bytes);
	return explain(why, -EOPNOTSUPP, "the kernel did not load the BPF programs: %s; please report "
		       "this with the output of 'uname -r'", strerror(-err));
}

static int choose_buffer(struct attempt *attempt)
{
	uint32_t wish = attempt->opts->buffer;
	bool missing = wish != TCPRETRANS_BUFFER_PERF &&
		       libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 0;

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

	if (!settings->has_err)
		note(notes, "failed: attempts that the kernel could not send are not told (Linux 6.17); "
		     "those that it counted show as lost in the ledger");
	if (!settings->has_storage)
		note(notes, "inherit: programs of this kind have no socket storage here (tp_btf, Linux "
		     "5.11), so owners of connections not yet accepted are unknown");
	if (!settings->has_netns_cookie)
		note(notes, "cookie: network namespaces have no cookies here (Linux 5.14), so one with the "
		     "inode of an earlier one is taken for that");
	if (!kernel_btf_has_member(attempt->btf, "tcp_sock", "bytes_sent") ||
	    !kernel_btf_has_member(attempt->btf, "tcp_sock", "reord_seen"))
		attempt->programs->can.known &= ~(uint64_t)TCPRETRANS_KNOWN_BYTES;
}

/* With type information. */
static int ask_btf(struct attempt *attempt)
{
	struct tcpretrans_settings *settings = &attempt->settings;
	bool typed = attempt->rung == &rungs[TCPRETRANS_ATTACH_TP_BTF];
	bool kprobe = attempt->rung == &rungs[TCPRETRANS_ATTACH_KPROBE];
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
		     "segments are those that are about to be sent, and there is no ledger");
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

/* Without: from the records' descriptions. */
static int ask_tracefs(struct attempt *attempt)
{
	struct tcpretrans_settings *settings = &attempt->settings;
	struct notes *notes = &attempt->programs->notes;
	int err = tracefs_find(attempt->events, sizeof(attempt->events), attempt->why);

	if (err)
		return err;
	err = ask_record(attempt, "tcp/tcp_retransmit_skb", &settings->skb);
	if (is_out_of_descriptors(err))
		return err;
	if (err)
		return explain(attempt->why, -EOPNOTSUPP, "%s/tcp/tcp_retransmit_skb/format: %s; Linux 4.15 "
			       "or later is needed, and the right to read that file", attempt->events,
			       err == -EPROTO ? "it lacks fields" : strerror(-err));
	if (ask_record(attempt, "tcp/tcp_retransmit_synack", &settings->synack))
		settings->synack.skaddr = 0;
	if (ask_record(attempt, "sock/inet_sock_set_state", &settings->set_state))
		settings->set_state.skaddr = 0;
	settings->has_err = settings->skb.err != 0;
	attempt->programs->can.can |= settings->has_err ? TCPRETRANS_CAN_FAILED : 0;
	note(notes, "ledger: the record of this tracepoint does not say how many segments it was, nor "
	     "whose namespace, so there is no ledger");
	note(notes, "reason: only 'syn' and 'synack' can be told from these records");
	note(notes, "owner: who connected or listened is told, but not whether it still has the socket");
	return 0;
}

/* Where the hook of a program in tracefs is, or NULL where it is not wanted there. */
static const char *record_of(const struct attempt *attempt, const char *program)
{
	if (!strcmp(program, "on_retransmit_skb"))
		return "tcp/tcp_retransmit_skb";
	if (!strcmp(program, "on_retransmit_synack"))
		return attempt->settings.synack.skaddr ? "tcp/tcp_retransmit_synack" : NULL;
	return attempt->settings.set_state.skaddr ? "sock/inet_sock_set_state" : NULL;
}

static bool is_wanted(const struct attempt *attempt, const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (is_main(attempt, program))
		return true;
	if (!attempt->btf)
		return record_of(attempt, name) != NULL;
	if (attempt->rung == &rungs[TCPRETRANS_ATTACH_KPROBE] && strstr(name, "retransmit_skb"))
		return false;
	if (attempt->opts->no_owners && !strcmp(name, "find_holders"))
		return false;
	return hook_is_possible(name, attempt->btf, attempt->own_btf, &attempt->programs->notes);
}

static int size_buffer(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	struct bpf_map *ring = bpf_object__find_map_by_name(programs->object, "events");

	programs->buffer_bytes = attempt->opts->ring_bytes ?: DEFAULT_BUFFER_BYTES;
	attempt->settings.wakeup_bytes = programs->buffer_bytes < 2 * WAKEUP_BYTES ?
						 programs->buffer_bytes / 2 : WAKEUP_BYTES;
	return attempt->settings.has_ring ? bpf_map__set_max_entries(ring, programs->buffer_bytes) : 0;
}

/* What a kernel may not know is not made where no program uses it. */
static void leave_out(struct attempt *attempt, const char *name, bool left_out)
{
	struct bpf_map *map = bpf_object__find_map_by_name(attempt->programs->object, name);

	if (map && left_out)
		bpf_map__set_autocreate(map, false);
}

static void choose_maps(struct attempt *attempt)
{
	const struct tcpretrans_settings *settings = &attempt->settings;

	leave_out(attempt, "events", !settings->has_ring);
	leave_out(attempt, "perf_events", settings->has_ring);
	leave_out(attempt, "drafts", settings->has_ring);
	leave_out(attempt, "socket_memories", !settings->has_storage);
	leave_out(attempt, "owner_memories", !settings->has_storage);
	leave_out(attempt, "socket_memories_by_address", settings->has_storage);
	leave_out(attempt, "owner_memories_by_address", settings->has_storage);
}

static int configure(struct attempt *attempt)
{
	struct bpf_object *object = attempt->programs->object;
	struct bpf_map *map = bpf_object__find_map_by_name(object, TCPRETRANS_SETTINGS);
	struct bpf_program *program;
	int place = 0, err = size_buffer(attempt);

	choose_maps(attempt);
	err = err ?: bpf_map__set_initial_value(map, &attempt->settings, sizeof(attempt->settings));
	bpf_object__for_each_program(program, object) {
		err = err ?: bpf_program__set_log_buf(program, log_of(attempt, place), LOG_BYTES);
		bpf_program__set_autoload(program, !attempt->refused[place] && is_wanted(attempt, program));
		place++;
	}
	return err ? explain_load(attempt, err, NULL) : 0;
}

/* The program that the kernel refused and said why, or -1. */
static int refused_program(const struct attempt *attempt)
{
	struct bpf_program *program;
	int place = 0;

	bpf_object__for_each_program(program, attempt->programs->object) {
		if (bpf_program__autoload(program) && *log_of(attempt, place))
			return place;
		place++;
	}
	return -1;
}

static struct bpf_program *program_at(const struct bpf_object *object, int place)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		if (!place--)
			return program;
	return NULL;
}

static int open_object(struct attempt *attempt)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = attempt->opts->btf);
	size_t size;
	const void *bytes = attempt->rung->object(&size);

	memset(attempt->logs, 0, MAX_PROGRAMS * LOG_BYTES);
	attempt->programs->object = bpf_object__open_mem(bytes, size, &options);
	if (!attempt->programs->object)
		return explain(attempt->why, -errno, "the BPF programs cannot be prepared: %s",
			       strerror(errno));
	return configure(attempt);
}

/* Load; without those programs that the kernel refuses, if there is something without them. */
static int load(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	const struct notes before = programs->notes;
	struct notes refusals = {};
	int err, place;

	for (;;) {
		programs->notes = before;
		err = open_object(attempt);
		if (err)
			return err;
		err = bpf_object__load(programs->object);
		if (!err)
			break;
		place = is_out_of_descriptors(err) ? -1 : refused_program(attempt);
		if (place < 0 || is_main(attempt, program_at(programs->object, place)))
			return explain_load(attempt, err, place < 0 ? NULL : log_of(attempt, place));
		hook_refused(bpf_program__name(program_at(programs->object, place)),
			     explain_verifier(log_of(attempt, place)), &refusals);
		attempt->refused[place] = true;
		bpf_object__close(programs->object);
		programs->object = NULL;
	}
	if (*refusals.text)
		note(&programs->notes, "%.*s", (int)strlen(refusals.text) - 1, refusals.text);
	return 0;
}

static int attach_one(const struct attempt *attempt, struct bpf_program *program, struct bpf_link **link)
{
	int fd;

	if (attempt->btf) {
		*link = bpf_program__attach(program);
		return *link ? 0 : -errno;
	}
	fd = tracefs_open(attempt->events, record_of(attempt, bpf_program__name(program)));
	if (fd < 0)
		return fd;
	*link = bpf_program__attach_perf_event(program, fd);
	if (*link)
		return 0;
	close(fd);
	return -errno;
}

static int explain_attach(const struct attempt *attempt, int err)
{
	if (is_out_of_descriptors(err))
		return err;
	if (err == -EPERM || err == -EACCES)
		return explain(attempt->why, -EPERM, "the BPF programs loaded, but the kernel forbids to "
			       "attach them (%s); run as root, and check kernel.perf_event_paranoid and "
			       "the container's seccomp profile", strerror(-err));
	return explain(attempt->why, -EOPNOTSUPP, "the BPF programs loaded, but the kernel did not attach "
		       "%s: %s%s", attempt->rung->main, strerror(-err),
		       attempt->rung == &rungs[TCPRETRANS_ATTACH_KPROBE] ?
			       "; it needs CONFIG_KPROBE_EVENTS" : "");
}

static int attach(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	struct bpf_program *program;
	int place = 0, err;

	bpf_object__for_each_program(program, programs->object) {
		struct bpf_link **link = &programs->links[place++];

		if (!bpf_program__autoload(program))
			continue;
		err = attach_one(attempt, program, link);
		if (err && (is_main(attempt, program) || is_out_of_descriptors(err)))
			return explain_attach(attempt, err);
		if (err)
			hook_refused(bpf_program__name(program), strerror(-err), &programs->notes);
		else
			programs->can.can |= hook_gives(bpf_program__name(program));
	}
	return 0;
}

/* What there is already when tracing begins. */
static int look_around(struct attempt *attempt)
{
	int err = programs_go_through(attempt->programs, "look_at_open_socket");

	if (!err)
		err = programs_find_holders(attempt->programs);
	if (err && !is_out_of_descriptors(err)) {
		hook_refused("look_at_open_socket", strerror(-err), &attempt->programs->notes);
		attempt->programs->can.can &= ~(uint64_t)TCPRETRANS_CAN_SEED;
		err = 0;
	}
	return err;
}

static int try_rung(struct programs *programs, const struct tcpretrans_opts *opts, uint32_t number,
		    const struct explain *why)
{
	struct attempt attempt = {
		.opts = opts, .rung = &rungs[number], .programs = programs, .why = why,
		.settings = { .only_family = opts->family, .no_owners = opts->no_owners },
		.logs = calloc(MAX_PROGRAMS, LOG_BYTES),
	};
	int err = attempt.logs ? choose_buffer(&attempt) : -ENOMEM;

	programs->can.attach = number;
	programs->can.can = attempt.rung->can;
	programs->can.known = attempt.rung->known;
	if (!err)
		err = number == TCPRETRANS_ATTACH_TP ? ask_tracefs(&attempt) : ask_btf(&attempt);
	err = err ?: load(&attempt);
	err = err ?: attach(&attempt);
	err = err ?: look_around(&attempt);
	btf__free(attempt.btf);
	free(attempt.logs);
	return err;
}

/* Whether no other way can work better. */
static bool is_hopeless(int err)
{
	return err != -EOPNOTSUPP && err != -EACCES;
}

int ladder_climb(struct programs *programs, const struct tcpretrans_opts *opts,
		 const struct explain *why)
{
	char reasons[TCPRETRANS_ATTACH_TP + 1][REASON_BYTES] = {};
	uint32_t first = opts->btf ? TCPRETRANS_ATTACH_RAW_TP : TCPRETRANS_ATTACH_TP_BTF;
	int err = 0;

	if (opts->attach)
		return try_rung(programs, opts, opts->attach, why);
	for (uint32_t number = first; number <= TCPRETRANS_ATTACH_TP; number++) {
		const struct explain here = { reasons[number], REASON_BYTES };
		struct notes climbed = programs->notes;

		err = try_rung(programs, opts, number, &here);
		if (!err)
			return 0;
		if (is_hopeless(err))
			return explain(why, err, "%s", reasons[number]);
		programs_free(programs);
		programs->notes = climbed;
		note(&programs->notes, "%s: %s", rungs[number].name, reasons[number]);
	}
	return explain(why, err, "%s; and without type information: %s", reasons[first],
		       reasons[TCPRETRANS_ATTACH_TP]);
}
