/* SPDX-License-Identifier: BSD-2-Clause */
/* Structs of a caller who says how many bytes of them he knows. */
#ifndef SIZED_H
#define SIZED_H

#include <stddef.h>

/* Take over into `ours`, which is all zeros, what `theirs` holds. It may be shorter (older) or longer
 * (newer); what it holds beyond ours must be zero, or it asks for something this library does not know:
 * -E2BIG, and then ours has what it does know. So it has where the size is more than a page (-E2BIG), for
 * which nothing beyond is read: no such struct will ever be that long. -EINVAL: not even a size. */
int sized_read(void *ours, size_t our_size, const void *theirs, size_t their_size);

/* Fill `theirs`; what is beyond ours becomes zero. */
void sized_write(void *theirs, size_t their_size, const void *ours, size_t our_size);

#endif
