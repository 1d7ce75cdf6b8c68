/* SPDX-License-Identifier: BSD-2-Clause */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int explain(const struct explain *to, int code, const char *format, ...)
{
	va_list args;

	if (!to->text || !to->size)
		return code;
	va_start(args, format);
	vsnprintf(to->text, to->size, format, args);
	va_end(args);
	return code;
}

static int says_nothing(const char *line)
{
	return !*line || !strncmp(line, "processed ", 10) || !strncmp(line, "verification time", 17) ||
	       !strncmp(line, "stack depth", 11) || !strncmp(line, "-- ", 3);
}

const char *explain_verifier(char *log)
{
	char *end = log + strlen(log);
	char *line;

	while (end > log) {
		*end = '\0';
		line = strrchr(log, '\n');
		line = line ? line + 1 : log;
		if (!says_nothing(line))
			return line;
		end = line > log ? line - 1 : log;
	}
	return "no reason given";
}
