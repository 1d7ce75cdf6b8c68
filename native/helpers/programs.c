/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "ladder.h"
#include "tally.h"

#ifdef TCPRETRANS_PRIVATE_LIBBPF
/* Our own copy of libbpf would print its warnings to stderr; what matters in them is in the error
 * codes and program logs. A libbpf shared with the program is the program's to silence. */
__attribute__((constructor)) static void silence_libbpf(void)
{
	libbpf_set_print(NULL);
}
#endif

int programs_start(struct programs *programs, const struct tcpretrans_opts *opts,
		   const struct explain *why)
{
	sigset_t all, before;
	int err;

	/* while a signal is pending the verifier gives up (EAGAIN), however often it is tried */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	err = ladder_climb(programs, opts, why);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		programs_free(programs);
	return err;
}

bool programs_have_ring(const struct programs *programs)
{
	return programs->can.buffer == TCPRETRANS_BUFFER_RING;
}

int programs_buffer_fd(const struct programs *programs)
{
	return programs_map_fd(programs, programs_have_ring(programs) ? "events" : "perf_events");
}

int programs_map_fd(const struct programs *programs, const char *name)
{
	return bpf_object__find_map_fd_by_name(programs->object, name);
}

/* The place of a program's link, or NULL where there is no such program. */
static struct bpf_link **link_of(const struct programs *programs, const char *name)
{
	struct bpf_program *program;
	int place = 0;

	bpf_object__for_each_program(program, programs->object) {
		if (!strcmp(bpf_program__name(program), name))
			return (struct bpf_link **)&programs->links[place];
		place++;
	}
	return NULL;
}

int programs_go_through(const struct programs *programs, const char *name)
{
	struct bpf_link **link = link_of(programs, name);
	char nothing[64];
	ssize_t got;
	int fd;

	if (!link || !*link)
		return 0;
	fd = bpf_iter_create(bpf_link__fd(*link));
	if (fd < 0)
		return -errno;
	do
		got = read(fd, nothing, sizeof(nothing));
	while (got > 0 || (got < 0 && errno == EAGAIN));
	got = got < 0 ? -errno : 0;
	close(fd);
	return got;
}

int programs_find_holders(const struct programs *programs)
{
	return programs_go_through(programs, "find_holders");
}

void programs_settle(const struct programs *programs)
{
	programs_go_through(programs, "settle_open_socket");
}

int programs_answer(const struct programs *programs, const struct tcpretrans_question *question,
		    struct tcpretrans_answer *answer)
{
	return bpf_map_lookup_elem(programs_map_fd(programs, "answers"), question, answer);
}

/* A program that interrupts itself on the same CPU is skipped; kernels from 5.12 count that. */
static uint64_t recursion_misses(const struct bpf_object *object)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);

		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
			missed += info.recursion_misses;
	}
	return missed;
}

int programs_count(const struct programs *programs, struct tcpretrans_stats *stats)
{
	stats->missed = recursion_misses(programs->object);
	return tally_all(programs, stats);
}

int programs_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n)
{
	return tally_netns(programs, rows, n);
}

void programs_detach_one(struct programs *programs, const char *name)
{
	struct bpf_link **link = link_of(programs, name);

	if (!link)
		return;
	bpf_link__destroy(*link);
	*link = NULL;
}

/* Programs run within a grace period. Where the kernel has no such call (nohz_full) or a seccomp profile
 * forbids it, some ten thousand times what a program takes will do. */
void programs_wait(void)
{
	const struct timespec long_enough = { .tv_nsec = 50000000 };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&long_enough, NULL);
}

/* First those that count what was skipped, or they would take the time between for that. Detaching
 * does not wait for programs that are running on other CPUs. */
void programs_detach(struct programs *programs)
{
	programs_detach_one(programs, "on_skipped_retransmit_skb");
	programs_detach_one(programs, "on_set_state");
	programs_detach_one(programs, "on_destroy_sock");
	for (int i = 0; i < MAX_PROGRAMS; i++) {
		bpf_link__destroy(programs->links[i]);
		programs->links[i] = NULL;
	}
	programs_wait();
}

void programs_free(struct programs *programs)
{
	for (int i = 0; i < MAX_PROGRAMS; i++)
		bpf_link__destroy(programs->links[i]);
	bpf_object__close(programs->object);
	filtering_free(&programs->filtering);
	withheld_close(&programs->withheld);
	memset(programs->links, 0, sizeof(programs->links));
	programs->object = NULL;
}

/* A link to a perf event, destroyed, would switch the event off for the parent too. The event's own descriptor
 * stays open until the child ends or calls exec(); by itself it keeps nothing attached. */
void programs_forget(struct programs *programs)
{
	uint32_t attach = programs->can.attach;

	for (int i = 0; i < MAX_PROGRAMS; i++) {
		struct bpf_link *link = programs->links[i];

		if (!link || (attach != TCPRETRANS_ATTACH_TP && attach != TCPRETRANS_ATTACH_KPROBE))
			continue;
		close(bpf_link__fd(link));
		bpf_link__disconnect(link);
	}
	programs_free(programs);
}
