/* SPDX-License-Identifier: BSD-2-Clause */
/* What libFuzzer gives, as a file at `path`. */
#ifndef BTF_INPUT_H
#define BTF_INPUT_H

#include "input.h"

#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

static int file;
static char path[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	libbpf_set_print(NULL);
	file = memfd_create("fuzz.btf", MFD_CLOEXEC);
	MUST(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

static void write_file(const uint8_t *bytes, size_t size)
{
	MUST(!ftruncate(file, 0) && pwrite(file, bytes, size, 0) == (ssize_t)size);
}

#endif
