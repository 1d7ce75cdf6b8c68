/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* O_PATH */
#include "btf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* That of a kernel has some 6 MB, and its format ends at 16 MB of names and a million types. */
#define MOST (128U << 20)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER ELFDATA2LSB
#else
#define OUR_ORDER ELFDATA2MSB
#endif

struct elf {
	int fd;
	uint64_t bytes; /* of the file */
	Elf64_Ehdr header;
};

static bool read_at(const struct elf *elf, uint64_t at, void *out, size_t size)
{
	return at < elf->bytes && size <= elf->bytes - at && pread(elf->fd, out, size, at) == (ssize_t)size;
}

static bool read_section(const struct elf *elf, unsigned number, Elf64_Shdr *section)
{
	return number < elf->header.e_shnum &&
	       read_at(elf, elf->header.e_shoff + number * sizeof(*section), section, sizeof(*section));
}

/* It lies in the file as it is, and is no larger than it can be. */
static bool is_plain(const struct elf *elf, const Elf64_Shdr *section, uint32_t type)
{
	return section->sh_type == type && !(section->sh_flags & SHF_COMPRESSED) && section->sh_size <= MOST &&
	       section->sh_offset <= elf->bytes && section->sh_size <= elf->bytes - section->sh_offset;
}

/* .BTF, and what libbpf takes from beside it. */
static bool is_about_types(const struct elf *elf, const Elf64_Shdr *names, const Elf64_Shdr *section)
{
	char name[4] = "";

	return section->sh_name < names->sh_size &&
	       read_at(elf, names->sh_offset + section->sh_name, name, sizeof(name)) && !memcmp(name, ".BTF", 4);
}

static bool are_sections_fine(const struct elf *elf)
{
	Elf64_Shdr names, section;

	if (elf->header.e_shentsize != sizeof(section) ||
	    !read_section(elf, elf->header.e_shstrndx, &names) || !is_plain(elf, &names, SHT_STRTAB))
		return false;
	for (unsigned i = 0; i < elf->header.e_shnum; i++)
		if (!read_section(elf, i, &section) ||
		    (is_about_types(elf, &names, &section) && !is_plain(elf, &section, SHT_PROGBITS)))
			return false;
	return true;
}

/* Of what begins as an ELF file the sections with BTF are looked at; all else is BTF, or nothing. */
static bool is_content_fine(int fd, uint64_t bytes)
{
	struct elf elf = { .fd = fd, .bytes = bytes };

	if (!read_at(&elf, 0, elf.header.e_ident, SELFMAG) || memcmp(elf.header.e_ident, ELFMAG, SELFMAG))
		return bytes <= MOST;
	return read_at(&elf, 0, &elf.header, sizeof(elf.header)) &&
	       elf.header.e_ident[EI_CLASS] == ELFCLASS64 && elf.header.e_ident[EI_DATA] == OUR_ORDER &&
	       are_sections_fine(&elf);
}

/* Opening what is no regular file can wait for ever, or do things. */
static int check_kind(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), err = 0;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EINVAL;
	close(fd);
	return err;
}

int btf_file_check(const char *path)
{
	int err = check_kind(path), fd;
	struct stat status;

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode) || !is_content_fine(fd, status.st_size))
		err = -EINVAL;
	close(fd);
	return err;
}
