/* SPDX-License-Identifier: BSD-2-Clause */
/* empty: attach a program that does nothing until stdin ends. */
#include <stdio.h>
#include "empty.skel.h"

int main(void)
{
	struct empty_bpf *bpf = empty_bpf__open_and_load();

	if (!bpf || empty_bpf__attach(bpf))
		return 1;
	puts("ready");
	fflush(stdout);
	getchar();
	empty_bpf__destroy(bpf);
	return 0;
}
