/* SPDX-License-Identifier: BSD-2-Clause */
/* What libFuzzer gives, taken from its front; where it has ended, zeros. */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct input {
	const uint8_t *at;
	size_t left;
};

/* What must hold whatever the input is; libFuzzer takes the abort for a crash, and keeps the input. */
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static inline void take(struct input *input, void *out, size_t size)
{
	size_t got = input->left < size ? input->left : size;

	memset(out, 0, size);
	if (got)
		memcpy(out, input->at, got);
	input->at += got;
	input->left -= got;
}

/* What was freed is used again soon: fresh pages for each input would take most of the time. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2";
}

#define TAKE_NUMBER(type) \
	static inline type##_t take_##type(struct input *input) \
	{ \
		type##_t number; \
	\
		take(input, &number, sizeof(number)); \
		return number; \
	}

TAKE_NUMBER(uint8)
TAKE_NUMBER(uint16)
TAKE_NUMBER(uint32)
TAKE_NUMBER(uint64)

/* Memory of exactly that size, so that AddressSanitizer sees the first byte beyond. Free it. */
static inline void *take_block(struct input *input, size_t size)
{
	void *block = malloc(size ? size : 1);

	MUST(block);
	take(input, block, size);
	return block;
}

#endif
