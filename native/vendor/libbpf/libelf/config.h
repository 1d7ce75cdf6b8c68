/* SPDX-License-Identifier: BSD-2-Clause */
/* What elfutils' configure would have found out, for libelf alone: no zstd, no threads, no
 * translations, and nothing that glibc 2.17 lacks. */
#ifndef RETRANS_LIBELF_CONFIG_H
#define RETRANS_LIBELF_CONFIG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <libintl.h>
#include <stdlib.h>

/* reallocarray came with glibc 2.26; libelf brings its own under this name. The macro has to come
 * after stdlib.h, which may declare the real one. */
#define HAVE_DECL_REALLOCARRAY 0
#define reallocarray eu_reallocarray

#define HAVE_DECL_MEMPCPY 0
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_RAWMEMCHR 0
#define HAVE_ERR_H 1
#define HAVE_FALLTHROUGH 1
#define HAVE_MREMAP 1
#define HAVE_VISIBILITY 1

/* Error messages stay English: no catalogue is looked up at run time. */
#undef dgettext
#define dgettext(domain, text) ((char *)(text))

#include <eu-config.h>

#endif
