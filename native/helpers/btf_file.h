/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a file may be handed to libbpf as one with BTF: what it, or its libelf, would wait for, run out of
 * memory over or crash on is kept from them. */
#ifndef BTF_FILE_H
#define BTF_FILE_H

/* 0, -EINVAL where it holds no BTF that can be read, or -errno. */
int btf_file_check(const char *path);

#endif
