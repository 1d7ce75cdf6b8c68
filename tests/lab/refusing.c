/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel that refuses some of what is asked of it: preloaded, it stands between libbpf and bpf().
 *
 * RETRANS_TEST_REFUSE holds words of the form WHAT:WHICH=ERRNO, with commas between them. Names count as
 * far as the kernel has them, which is 15 bytes.
 *	load:NAME    programs of that name, with a verifier's log
 *	silent:NAME  the same without one
 *	type:NUMBER  programs of a type (enum bpf_prog_type)
 *	map:NUMBER   maps of a type (enum bpf_map_type)
 *	attach:NAME  attaching a program of that name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define MAX_FD 1024

static char names[MAX_FD][BPF_OBJ_NAME_LEN]; /* of programs, by descriptor */

/* The error for WHAT:WHICH, or 0. */
static int refusal(const char *what, const char *which)
{
	const char *asked = getenv("RETRANS_TEST_REFUSE");
	char *words = strdup(asked ? asked : ""), *rest = words, *word;
	char wanted[64];
	int error = 0;

	snprintf(wanted, sizeof(wanted), "%s:%.15s=", what, which);
	while (!error && (word = strsep(&rest, ",")))
		if (!strncmp(word, wanted, strlen(wanted)))
			error = atoi(word + strlen(wanted));
	free(words);
	return error;
}

static int refusal_of_number(const char *what, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return refusal(what, text);
}

static int refusal_to_load(const union bpf_attr *attr)
{
	static const char LOG[] = "refused by a test\n";
	int error = refusal("load", attr->prog_name);

	if (error && attr->log_level && attr->log_size > sizeof(LOG))
		memcpy((void *)(unsigned long)attr->log_buf, LOG, sizeof(LOG));
	if (!error)
		error = refusal("silent", attr->prog_name);
	return error ? error : refusal_of_number("type", attr->prog_type);
}

static int refusal_to_attach(unsigned int fd)
{
	return fd < MAX_FD ? refusal("attach", names[fd]) : 0;
}

static int refusal_of(int command, const union bpf_attr *attr)
{
	switch (command) {
	case BPF_PROG_LOAD:
		return refusal_to_load(attr);
	case BPF_MAP_CREATE:
		return refusal_of_number("map", attr->map_type);
	case BPF_RAW_TRACEPOINT_OPEN:
		return refusal_to_attach(attr->raw_tracepoint.prog_fd);
	case BPF_LINK_CREATE:
		return refusal_to_attach(attr->link_create.prog_fd);
	default:
		return 0;
	}
}

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6], result;
	va_list list;
	int error;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	error = number == SYS_bpf ? refusal_of(a[0], (const union bpf_attr *)a[1]) : 0;
	if (error) {
		errno = error;
		return -1;
	}
	result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_bpf && a[0] == BPF_PROG_LOAD && result >= 0 && result < MAX_FD)
		memcpy(names[result], ((const union bpf_attr *)a[1])->prog_name, BPF_OBJ_NAME_LEN);
	return result;
}
