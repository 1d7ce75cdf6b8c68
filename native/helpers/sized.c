/* SPDX-License-Identifier: BSD-2-Clause */
#include "sized.h"

#include <errno.h>
#include <string.h>

#define MOST 4096

int sized_read(void *ours, size_t our_size, const void *theirs, size_t their_size)
{
	const char *bytes = theirs;

	if (their_size < sizeof(size_t))
		return -EINVAL;
	memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
	if (their_size > MOST)
		return -E2BIG;
	for (size_t i = our_size; i < their_size; i++)
		if (bytes[i])
			return -E2BIG;
	return 0;
}

void sized_write(void *theirs, size_t their_size, const void *ours, size_t our_size)
{
	memset(theirs, 0, their_size);
	memcpy(theirs, ours, their_size < our_size ? their_size : our_size);
}
