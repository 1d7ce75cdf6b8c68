/* SPDX-License-Identifier: BSD-2-Clause */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void note(struct notes *notes, const char *format, ...)
{
	size_t length = strlen(notes->text);
	size_t room = sizeof(notes->text) - length;
	va_list args;
	int wanted;

	va_start(args, format);
	wanted = vsnprintf(notes->text + length, room, format, args);
	va_end(args);
	if (wanted < 0 || (size_t)wanted + 2 > room) {
		notes->text[length] = '\0';
		return;
	}
	notes->text[length + wanted] = '\n';
	notes->text[length + wanted + 1] = '\0';
}
