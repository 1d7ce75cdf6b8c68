/* SPDX-License-Identifier: BSD-2-Clause */
/* One try at one way of attaching: what is asked of the kernel (asking.c), and what is then loaded and
 * attached (loading.c). ladder.c goes from try to try. */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "programs.h"
#include "../bpf/settings.h"

struct btf;

#define LOG_BYTES (64U << 10)

/* One way of attaching. */
struct rung {
	const char *name;
	const void *(*object)(size_t *size);
	const char *main;  /* the program that everything is about */
	uint64_t can;      /* beyond what each hook gives (hooks.h) */
	uint64_t known;
};

/* The state of one try. */
struct attempt {
	const struct tcpretrans_opts *opts;
	const struct rung *rung;
	uint32_t number;          /* enum tcpretrans_attach of the rung */
	struct programs *programs;
	struct tcpretrans_settings settings;
	struct btf *btf;          /* until the programs are chosen */
	bool own_btf;
	char events[PATH_MAX];    /* of tracefs */
	char *logs;               /* LOG_BYTES for each program */
	bool chosen;
	bool wanted[MAX_PROGRAMS];
	bool refused[MAX_PROGRAMS];
	bool all_log;             /* programs that load leave a log too */
	const struct explain *why;
};

static inline bool out_of_descriptors(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

/* Why the kernel forbids bpf(). Returns -EPERM where more rights are needed, else -EACCES. */
int explain_forbidden(const struct explain *why, int err);

/* Find out what this kernel offers for this way, and fill the settings. 0, or -errno with a sentence. */
int ask_buffer(struct attempt *attempt);
int ask_btf(struct attempt *attempt);
int ask_tracefs(struct attempt *attempt);

/* Load what can be loaded, attach it, check a BTF file, and look at what is open already. 0, or -errno
 * with a sentence. */
int load_programs(struct attempt *attempt);
int attach_programs(struct attempt *attempt);
int check_reading(struct attempt *attempt);
int look_around(struct attempt *attempt);

#endif
