/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences for the user, one a line, gathered while a tracer starts. */
#ifndef NOTES_H
#define NOTES_H

struct notes {
	char text[16384];
};

/* Add a line; what does not fit any more is left out. */
void note(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
