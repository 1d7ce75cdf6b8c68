/* SPDX-License-Identifier: BSD-2-Clause */
#include "attempt.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>
#include "buffer.h"
#include "counts.h"
#include "hooks.h"
#include "rights.h"
#include "sample.h"
#include "tracefs.h"

#define WAKEUP_BYTES         (64U << 10)
#define LOG_STATS            4 /* BPF_LOG_STATS, include/linux/bpf_verifier.h */

static char *log_of(const struct attempt *attempt, int place)
{
	return attempt->logs + place * LOG_BYTES;
}

static bool is_main(const struct attempt *attempt, const struct bpf_program *program)
{
	return !strcmp(bpf_program__name(program), attempt->rung->main);
}

int explain_forbidden(const struct explain *why, int err)
{
	if (!rights_suffice())
		return explain(why, err, "loading BPF programs needs root, or CAP_BPF and CAP_PERFMON "
			       "(CAP_SYS_ADMIN before Linux 5.8); run as root or with sudo");
	if (rights_are_local())
		return explain(why, err, "the rights held here count only inside a user namespace, and "
			       "loading BPF programs needs those of the host; run as the host's root, "
			       "outside of rootless containers");
	return explain(why, -EACCES, "the kernel forbids loading BPF programs although the rights "
		       "suffice: a container's seccomp profile, the kernel's lockdown mode or, "
		       "before Linux 5.11, the limit of locked memory (ulimit -l) forbids it; "
		       "allow bpf() there, raise the limit, or run on the host");
}

/* Tracing programs always may read memory, but for a lockdown. */
static bool lacks_reading(const char *log)
{
	return strstr(log, "unknown func bpf_probe_read") || strstr(log, "cannot use helper bpf_probe_read");
}

static int explain_load(const struct attempt *attempt, int err, char *log)
{
	const struct explain *why = attempt->why;

	if (out_of_descriptors(err))
		return err; /* the log, if there is one, is not about that */
	if (log && (rights_are_locked_down() || lacks_reading(log)))
		return explain(why, -EOPNOTSUPP, "the kernel is locked down (confidentiality), so that no "
			       "BPF program may read its memory; boot it with lockdown=integrity or without");
	if (log && attempt->opts->btf && strstr(log, "CO-RE relocation"))
		return explain(why, -EINVAL, "the BTF file %s is not that of this very kernel, or not all of "
			       "it: %s", attempt->opts->btf, explain_verifier(log));
	if (log)
		return explain(why, -EOPNOTSUPP, "this kernel refuses a BPF program: %s; please report "
			       "this sentence with the output of 'uname -r'", explain_verifier(log));
	if (err == -EPERM)
		return explain_forbidden(why, err);
	if (err == -ENOMEM && attempt->opts->count_by)
		return explain(why, err, "there is not enough memory to count in so many rows; ask for fewer "
			       "or raise the memory limit");
	if (err == -ENOMEM)
		return explain(why, err, "there is not enough memory to trace with a buffer of %zu bytes; ask "
			       "for a smaller one or raise the memory limit", attempt->programs->buffer_bytes);
	if (attempt->opts->btf && err == -E2BIG)
		return explain(why, -EINVAL, "with the BTF file %s the BPF programs do not load: %s; take an "
			       "undamaged one, made for this very kernel", attempt->opts->btf, strerror(-err));
	return explain(why, -EOPNOTSUPP, "the kernel did not load the BPF programs: %s; please report "
		       "this with the output of 'uname -r'", strerror(-err));
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

static bool by_record(const struct attempt *attempt)
{
	return attempt->number == TCPRETRANS_ATTACH_TP;
}

static bool is_wanted(const struct attempt *attempt, const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (is_main(attempt, program))
		return true;
	if (by_record(attempt))
		return record_of(attempt, name) != NULL;
	if (!strcmp(name, "sample_socket"))
		return attempt->opts->btf != NULL;
	if (!strcmp(name, "on_outer_call"))
		return attempt->number == TCPRETRANS_ATTACH_KPROBE;
	if (attempt->number == TCPRETRANS_ATTACH_KPROBE && strstr(name, "retransmit_skb"))
		return false;
	if (attempt->opts->no_owners && !strcmp(name, "find_holders"))
		return false;
	if (attempt->settings.no_reason && attempt->settings.no_stall && !strcmp(name, "on_cong_state_set"))
		return false;
	return hook_is_possible(name, attempt->btf, attempt->own_btf, &attempt->programs->notes);
}

static int size_buffer(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	struct bpf_map *ring = bpf_object__find_map_by_name(programs->object, "events");

	programs->buffer_bytes = attempt->opts->ring_bytes ?: buffer_default_bytes(attempt->opts->count_by);
	programs->can.buffer_bytes = programs->buffer_bytes;
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
	leave_out(attempt, "drafts", settings->has_ring && (!settings->count_by || settings->no_owners));
	leave_out(attempt, "count_rows", !settings->count_by && !settings->interval_ns);
	leave_out(attempt, "count_beyond", !settings->count_by && !settings->interval_ns);
	leave_out(attempt, "buckets", !settings->interval_ns);
	leave_out(attempt, "calls", attempt->number != TCPRETRANS_ATTACH_KPROBE);
	leave_out(attempt, "samples", !attempt->opts->btf);
	leave_out(attempt, "memories_of_sockets", !settings->has_storage || settings->no_owners);
	leave_out(attempt, "socket_memories", !settings->has_storage || !settings->no_owners);
	leave_out(attempt, "socket_memories_by_address", settings->has_storage);
	leave_out(attempt, "owner_memories_by_address", settings->has_storage);
}

/* The kernel's type information takes some 7 MB, and libbpf is about to read a copy of its own. */
static void choose_programs(struct attempt *attempt)
{
	struct bpf_program *program;
	int place = 0;

	if (attempt->chosen)
		return;
	bpf_object__for_each_program(program, attempt->programs->object)
		attempt->wanted[place++] = is_wanted(attempt, program);
	attempt->chosen = true;
	btf__free(attempt->btf);
	attempt->btf = NULL;
}

static int configure(struct attempt *attempt)
{
	struct bpf_object *object = attempt->programs->object;
	struct bpf_map *map = bpf_object__find_map_by_name(object, TCPRETRANS_SETTINGS);
	struct bpf_program *program;
	int place = 0, err = size_buffer(attempt);

	err = err ?: counts_prepare(attempt);
	choose_maps(attempt);
	choose_programs(attempt);
	err = err ?: bpf_map__set_initial_value(map, &attempt->settings, sizeof(attempt->settings));
	bpf_object__for_each_program(program, object) {
		err = err ?: bpf_program__set_log_buf(program, log_of(attempt, place), LOG_BYTES);
		err = err ?: bpf_program__set_log_level(program, attempt->all_log ? LOG_STATS : 0);
		bpf_program__set_autoload(program, attempt->wanted[place] && !attempt->refused[place]);
		place++;
	}
	return err ? explain_load(attempt, err, NULL) : 0;
}

/* The program that the kernel refused: the one with a log, or where all have one that without. Or -1. */
static int refused_program(const struct attempt *attempt)
{
	struct bpf_program *program;
	int place = 0;

	bpf_object__for_each_program(program, attempt->programs->object) {
		if (bpf_program__autoload(program) && !*log_of(attempt, place) == attempt->all_log)
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

	for (int place = 0; place < MAX_PROGRAMS; place++)
		*log_of(attempt, place) = '\0'; /* no more of them is touched until a program is refused */
	attempt->programs->object = bpf_object__open_mem(bytes, size, &options);
	if (!attempt->programs->object && (errno == EPERM || errno == ENOSYS))
		return explain(attempt->why, -errno, "the BPF programs cannot be prepared: %s; most likely a "
			       "seccomp profile forbids memfd_create(), which libbpf needs: allow it there",
			       strerror(errno));
	if (!attempt->programs->object)
		return explain(attempt->why, -errno, "the BPF programs cannot be prepared: %s",
			       strerror(errno));
	return configure(attempt);
}

/* About an attempt to load that failed: 0 where another one, with what is left, may not. */
static int give_up(struct attempt *attempt, int err, struct notes *refusals)
{
	bool about_limits = out_of_descriptors(err) || err == -ENOMEM;
	int place = about_limits ? -1 : refused_program(attempt);
	char *log = place < 0 ? "" : log_of(attempt, place);

	if (place < 0 && !about_limits && !attempt->all_log) {
		attempt->all_log = true;
	} else if (place < 0 || is_main(attempt, program_at(attempt->programs->object, place))) {
		return explain_load(attempt, err, *log ? log : NULL);
	} else {
		hook_refused(bpf_program__name(program_at(attempt->programs->object, place)),
			     *log ? explain_verifier(log) : strerror(-err), refusals);
		attempt->refused[place] = true;
		attempt->all_log = false;
	}
	bpf_object__close(attempt->programs->object);
	attempt->programs->object = NULL;
	return 0;
}

/* Load; without those programs that the kernel refuses, if there is something without them. */
int load_programs(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	struct notes refusals = {};
	int err, given_up;

	do {
		err = open_object(attempt);
		if (err)
			return err;
		err = bpf_object__load(programs->object);
		given_up = err ? give_up(attempt, err, &refusals) : 0;
		if (given_up)
			return given_up;
	} while (err);
	if (*refusals.text)
		note(&programs->notes, "%.*s", (int)strlen(refusals.text) - 1, refusals.text);
	return 0;
}

static int attach_one(const struct attempt *attempt, struct bpf_program *program, struct bpf_link **link)
{
	int fd, err;

	if (!by_record(attempt)) {
		*link = bpf_program__attach(program);
		return *link ? 0 : -errno;
	}
	fd = tracefs_open(attempt->events, record_of(attempt, bpf_program__name(program)));
	if (fd < 0)
		return fd;
	*link = bpf_program__attach_perf_event(program, fd);
	if (*link)
		return 0;
	err = -errno;
	close(fd);
	return err;
}

static int explain_attach(const struct attempt *attempt, int err)
{
	if (out_of_descriptors(err))
		return err;
	if (err == -EPERM || err == -EACCES)
		return explain(attempt->why, -EACCES, "the BPF programs loaded, but the kernel forbids to "
			       "attach them (%s); run as root, and check kernel.perf_event_paranoid and "
			       "the container's seccomp profile", strerror(-err));
	return explain(attempt->why, -EOPNOTSUPP, "the BPF programs loaded, but the kernel did not attach "
		       "%s: %s%s", attempt->rung->main, strerror(-err),
		       attempt->number == TCPRETRANS_ATTACH_KPROBE ?
			       "; it needs CONFIG_KPROBE_EVENTS" : "");
}

int attach_programs(struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	struct bpf_program *program;
	int place = 0, err;

	bpf_object__for_each_program(program, programs->object) {
		struct bpf_link **link = &programs->links[place++];

		if (!bpf_program__autoload(program))
			continue;
		err = attach_one(attempt, program, link);
		if (err && (is_main(attempt, program) || out_of_descriptors(err)))
			return explain_attach(attempt, err);
		if (err)
			hook_refused(bpf_program__name(program), strerror(-err), &programs->notes);
		else
			programs->can.can |= hook_gives(bpf_program__name(program));
	}
	return 0;
}

/* A BTF file is believed only if what is read by it is there. */
int check_reading(struct attempt *attempt)
{
	const struct explain *why = attempt->why;
	int err;

	if (by_record(attempt) || attempt->own_btf)
		return 0;
	err = sample_check(programs_map_fd(attempt->programs, "samples"));
	programs_detach_one(attempt->programs, "sample_socket");
	if (err == -EINVAL)
		return explain(why, err, "the BTF file %s is not that of this very kernel: what is read by "
			       "it is something else; take the one made for this kernel",
			       attempt->opts->btf);
	if (err && !out_of_descriptors(err))
		return explain(why, err, "it cannot be checked whether the BTF file %s is that of this "
			       "kernel: %s", attempt->opts->btf, strerror(-err));
	return err;
}

/* What there is already when tracing begins. */
int look_around(struct attempt *attempt)
{
	int err = programs_go_through(attempt->programs, "look_at_open_socket");

	if (!err)
		err = programs_find_holders(attempt->programs);
	if (err && !out_of_descriptors(err)) {
		hook_refused("look_at_open_socket", strerror(-err), &attempt->programs->notes);
		attempt->programs->can.can &= ~(uint64_t)TCPRETRANS_CAN_SEED;
		err = 0;
	}
	return err;
}
