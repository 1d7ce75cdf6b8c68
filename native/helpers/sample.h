/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether programs that were made to fit by a BTF file read what is really there. */
#ifndef SAMPLE_CHECK_H
#define SAMPLE_CHECK_H

/* Listen for a moment on a port of this host itself, and compare what the program wrote into `map_fd`
 * about that socket. 0, -EINVAL where it differs, or another -errno. */
int sample_check(int map_fd);

#endif
