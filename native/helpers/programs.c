/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kernel_btf.h"
#include "rights.h"
#include "tally.h"
#include "tcpretrans.skel.h"

#define DEFAULT_RING_BYTES (4U << 20)
#define WAKEUP_BYTES       (64U << 10)
#define LOG_BYTES          (64U << 10)
#define BTF_FILE           "/sys/kernel/btf/vmlinux"

#ifdef TCPRETRANS_PRIVATE_LIBBPF
/* Our own copy of libbpf would print its warnings to stderr; what matters in them is in the error
 * codes and program logs. A libbpf shared with the program is the program's to silence. */
__attribute__((constructor)) static void silence_libbpf(void)
{
	libbpf_set_print(NULL);
}
#endif

static int explain_load(struct programs *programs, int err, const struct explain *why)
{
	if (err == -EMFILE || err == -ENFILE)
		return err; /* the log, if there is one, is not about that */
	if (*programs->log)
		return explain(why, -EOPNOTSUPP, "this kernel refuses a BPF program: %s; please report "
			       "this sentence with the output of 'uname -r'",
			       explain_verifier(programs->log));
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
		return explain(why, err, "the kernel has no memory for the ring buffer of %zu bytes; ask "
			       "for a smaller one or raise the memory limit", programs->ring_bytes);
	if (err == -EINVAL && libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 0)
		return explain(why, -EOPNOTSUPP, "this kernel has no BPF ring buffer, which tracing here "
			       "needs; use Linux 5.11 or later");
	return explain(why, -EOPNOTSUPP, "the kernel did not load the BPF programs: %s; please report "
		       "this with the output of 'uname -r'", strerror(-err));
}

/* How the tracepoint is called is asked of the kernel, never guessed from its version. */
static int detect(struct tcpretrans_bpf *skeleton, const struct explain *why)
{
	int args = kernel_btf_tracepoint_args("tcp_retransmit_skb");

	if (args == -EMFILE || args == -ENFILE)
		return args;
	if (args == -ENOMEM)
		return explain(why, args, "there is not enough memory to read the kernel's type information "
			       "(some 20 MB); raise the memory limit (ulimit -v)");
	if (args < 0 && access(BTF_FILE, F_OK))
		return explain(why, -EOPNOTSUPP, "this kernel gives no type information (" BTF_FILE
			       " is missing), which tracing here needs; use a kernel built with "
			       "CONFIG_DEBUG_INFO_BTF=y (and a mounted /sys)");
	if (args == -ENOENT)
		return explain(why, -EOPNOTSUPP, "this kernel has no tracepoint tcp:tcp_retransmit_skb "
			       "in its type information; Linux 4.15 or later is needed");
	if (args < 0)
		return explain(why, -EOPNOTSUPP, "the kernel's type information (" BTF_FILE ") cannot be "
			       "read: %s; check that /sys is mounted and readable", strerror(-args));
	if (args != 2 && args != 3)
		return explain(why, -EOPNOTSUPP, "this kernel calls tcp:tcp_retransmit_skb with %d "
			       "arguments; this version knows the shapes with two and three", args);
	skeleton->rodata->has_err = args == 3;
	if (kernel_btf_tracepoint_args("tcp_retransmit_synack") < 0)
		return explain(why, -EOPNOTSUPP, "this kernel has no tracepoint tcp:tcp_retransmit_synack in "
			       "its type information; Linux 4.16 or later is needed");
	return 0;
}

static int configure(struct programs *programs, const struct tcpretrans_opts *opts,
		     const struct explain *why)
{
	struct tcpretrans_bpf *skeleton = programs->skeleton;
	struct bpf_program *program;
	int err = detect(skeleton, why);

	if (err)
		return err;
	/* without it waiting times and some reasons are unknown, and all else as usual */
	bpf_program__set_autoload(skeleton->progs.on_cong_state_set,
				  kernel_btf_tracepoint_args("tcp_cong_state_set") > 0);
	skeleton->rodata->only_family = opts->family;
	skeleton->rodata->wakeup_bytes = WAKEUP_BYTES;
	skeleton->rodata->no_owners = opts->no_owners;
	bpf_program__set_autoload(skeleton->progs.find_holders, !opts->no_owners);
	programs->ring_bytes = opts->ring_bytes ?: DEFAULT_RING_BYTES;
	if (programs->ring_bytes < 2 * WAKEUP_BYTES)
		skeleton->rodata->wakeup_bytes = programs->ring_bytes / 2;
	err = bpf_map__set_max_entries(skeleton->maps.events, programs->ring_bytes);
	bpf_object__for_each_program(program, skeleton->obj)
		err = err ?: bpf_program__set_log_buf(program, programs->log, LOG_BYTES);
	return err ? explain_load(programs, err, why) : 0;
}

/* Have an iterator program go through all it iterates over. */
static int go_through(const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	char nothing[64];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do
		got = read(fd, nothing, sizeof(nothing));
	while (got > 0 || (got < 0 && errno == EAGAIN));
	got = got < 0 ? -errno : 0;
	close(fd);
	return got;
}

static int start(struct programs *programs, const struct tcpretrans_opts *opts,
		 const struct explain *why)
{
	int err;

	programs->log = calloc(1, LOG_BYTES);
	programs->skeleton = programs->log ? tcpretrans_bpf__open() : NULL;
	if (!programs->skeleton)
		return explain(why, -errno, "the BPF programs cannot be prepared: %s", strerror(errno));
	err = configure(programs, opts, why);
	if (err)
		return err;
	err = tcpretrans_bpf__load(programs->skeleton);
	if (err)
		return explain_load(programs, err, why);
	err = tcpretrans_bpf__attach(programs->skeleton);
	if (err)
		return explain(why, err, "the BPF programs loaded, but the kernel did not attach them "
			       "to tcp:tcp_retransmit_skb: %s", strerror(-err));
	err = go_through(programs->skeleton->links.look_at_open_socket);
	if (!err)
		err = programs_find_holders(programs);
	if (err)
		return explain(why, err, "the kernel does not list the open sockets: %s", strerror(-err));
	return 0;
}

int programs_start(struct programs *programs, const struct tcpretrans_opts *opts,
		   const struct explain *why)
{
	sigset_t all, before;
	int err;

	/* while a signal is pending the verifier gives up (EAGAIN), however often it is tried */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	err = start(programs, opts, why);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		programs_free(programs);
	return err;
}

int programs_ring_fd(const struct programs *programs)
{
	return bpf_map__fd(programs->skeleton->maps.events);
}

int programs_find_holders(struct programs *programs)
{
	const struct bpf_link *link = programs->skeleton->links.find_holders;

	return link ? go_through(link) : 0;
}

int programs_answer(const struct programs *programs, const struct tcpretrans_question *question,
		    struct tcpretrans_answer *answer)
{
	return bpf_map_lookup_elem(bpf_map__fd(programs->skeleton->maps.answers), question, answer);
}

/* A program that interrupts itself on the same CPU is skipped; kernels from 5.12 count that. */
static uint64_t recursion_misses(const struct tcpretrans_bpf *skeleton)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, skeleton->obj) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
			missed += info.recursion_misses;
	}
	return missed;
}

int programs_count(const struct programs *programs, struct tcpretrans_stats *stats)
{
	stats->missed = recursion_misses(programs->skeleton);
	return tally_all(programs->skeleton, stats);
}

int programs_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n)
{
	return tally_netns(programs->skeleton, rows, n);
}

void programs_settle(const struct programs *programs)
{
	if (programs->skeleton->links.settle_open_socket)
		go_through(programs->skeleton->links.settle_open_socket);
}

static void detach(struct bpf_link **link)
{
	bpf_link__destroy(*link);
	*link = NULL;
}

/* First those that count what was skipped, or they would take the time between for that. Detaching
 * does not wait for programs that are running on other CPUs; a grace period does. */
void programs_detach(struct programs *programs)
{
	detach(&programs->skeleton->links.on_skipped_retransmit_skb);
	detach(&programs->skeleton->links.on_set_state);
	detach(&programs->skeleton->links.on_destroy_sock);
	tcpretrans_bpf__detach(programs->skeleton);
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void programs_free(struct programs *programs)
{
	if (programs->skeleton)
		tcpretrans_bpf__destroy(programs->skeleton);
	programs->skeleton = NULL;
	free(programs->log);
	programs->log = NULL;
}
