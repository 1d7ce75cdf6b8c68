/* SPDX-License-Identifier: BSD-2-Clause */
/* A BTF file that was believed: the programs are fitted to its types by libbpf (CO-RE), as far as they get
 * without a kernel, whose bpf() is played here.
 */
#define _GNU_SOURCE /* memfd_create */
#include "btf_input.h"

#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include "kernel_btf.h"
#include "../bpf/settings.h"
#include "tcpretrans.skel.h"

#define MAP_BYTES (64L << 20) /* more than any map that is mapped */

/* Whatever is asked for is there. */
static long play_bpf(int command)
{
	int fd;

	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		fd = memfd_create("bpf", MFD_CLOEXEC);
		MUST(fd >= 0 && !ftruncate(fd, MAP_BYTES));
		return fd;
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long one, two, three;
	va_list more;

	va_start(more, number);
	one = va_arg(more, long);
	two = va_arg(more, long);
	three = va_arg(more, long);
	va_end(more);
	return number == SYS_bpf ? play_bpf(one) : __real_syscall(number, one, two, three);
}

static void fit(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = path);
	struct bpf_object *object;
	const void *bytes;
	size_t size;

	bytes = untyped_bpf__elf_bytes(&size);
	object = bpf_object__open_mem(bytes, size, &options);
	MUST(object);
	bpf_object__load(object);
	bpf_object__close(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char sentence[512];
	const struct explain why = { sentence, sizeof(sentence) };
	struct btf *btf;

	write_file(bytes, size);
	if (kernel_btf_load(path, &btf, &why))
		return 0; /* target btf tries those */
	btf__free(btf);
	fit();
	return 0;
}
