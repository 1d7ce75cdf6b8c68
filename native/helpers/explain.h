/* SPDX-License-Identifier: BSD-2-Clause */
/* One sentence for a human, in the caller's buffer: what happened, why, what to do. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stddef.h>

struct explain {
	char *text; /* may be NULL */
	size_t size;
};

#define NOT_ENOUGH_MEMORY "there is not enough memory for a tracer; raise the memory limit"

/* Write the sentence and return `code`, so that a function can fail in one line. */
int explain(const struct explain *to, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The last line of a verifier log that says something: the refusal itself. Cuts `log` up. */
const char *explain_verifier(char *log);

#endif
