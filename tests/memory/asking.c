/* SPDX-License-Identifier: BSD-2-Clause */
/* What a tracer, or the writer of lines, can be asked while it works. */
#include "exercise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 128

/* Each answer into a block of its own that is as long as the caller says it is: older programs know
 * less, newer ones more. */
static void ask_sized(struct tcpretrans *tracer)
{
	for (size_t size = 0; size <= sizeof(struct tcpretrans_stats) + 24; size += 8) {
		struct tcpretrans_stats *stats = malloc(size ? size : 1);
		struct tcpretrans_capabilities *capabilities = malloc(size ? size : 1);

		MUST(stats && capabilities);
		MUST(!tcpretrans_stats(tracer, stats, size));
		MUST(!tcpretrans_capabilities(tracer, capabilities, size));
		free(stats);
		free(capabilities);
	}
}

static void ask_rows(struct tcpretrans *tracer)
{
	struct tcpretrans_netns *netns = calloc(ROWS, sizeof(*netns));
	struct tcpretrans_count *counts = calloc(ROWS, sizeof(*counts)), beyond;
	int found;

	MUST(netns && counts);
	for (int n = 0; n <= ROWS; n += ROWS / 2) {
		found = tcpretrans_netns(tracer, n ? netns : NULL, n);
		MUST(found >= 0);
		found = tcpretrans_counts(tracer, n ? counts : NULL, n, &beyond);
		MUST(found >= 0);
	}
	free(netns);
	free(counts);
}

void ask_everything(struct tcpretrans *tracer)
{
	const struct tcpretrans_field *fields;
	size_t count = 0, described = 0;

	ask_sized(tracer);
	ask_rows(tracer);
	fields = tcpretrans_fields(&count);
	for (size_t i = 0; i < count; i++)
		described += fields[i].size + (strlen(fields[i].name) ? 0 : 1);
	MUST(described <= TCPRETRANS_EVENT_SIZE && count > 40);
	MUST(strchr(tcpretrans_notes(tracer), '\n') || !*tcpretrans_notes(tracer));
	MUST(strstr(tcpretrans_version(), " abi "));
	MUST(tcpretrans_fd(tracer) >= 0);
}

void lines_open(struct lines *lines)
{
	memset(lines, 0, sizeof(*lines));
	MUST(!tcpretrans_ndjson_open(&lines->writer));
}

/* Lengths from none to what is too long, in blocks of their own. */
static void give_label(struct lines *lines, const struct tcpretrans_event *event)
{
	static const size_t lengths[] = { 0, 20, 3000, 50000 };
	size_t length = lengths[lines->labels++ % 4];
	char *members = malloc(length + 1);

	MUST(members);
	memset(members, 'x', length);
	members[length] = '\0';
	if (length) {
		memcpy(members, "\"pod\":\"", 7);
		members[length - 1] = '"';
	}
	/* until then or that very event only, so that labels come and go */
	MUST(!tcpretrans_ndjson_label(lines->writer, event, members,
				      event->ts_ns + (lines->labels % 3) * 1000000));
	free(members);
}

static void write_some(struct lines *lines, const struct tcpretrans_event *events, int n, uint32_t without)
{
	struct tcpretrans_text text = {
		.size = sizeof(text), .bytes = lines->bytes, .room = sizeof(lines->bytes),
		.wall_offset_ns = 1700000000123456789, .without = without,
	};
	int done = 0;

	while (done < n) {
		int more = tcpretrans_ndjson_write(lines->writer, events + done, n - done, &text);

		MUST(more >= 0 && more <= n - done);
		done += more;
		MUST(text.used <= text.room && (!text.used || lines->bytes[text.used - 1] == '\n'));
		if (text.wants_label)
			give_label(lines, &events[done]);
		else if (done < n || text.used) {
			for (size_t i = 0; i < text.used; i++)
				lines->written += lines->bytes[i] == '\n';
			text.used = 0;
		}
	}
}

void lines_write(struct lines *lines, const struct tcpretrans_event *events, int n)
{
	write_some(lines, events, n, 0);
	write_some(lines, events, n, TCPRETRANS_WITHOUT_LABELS | TCPRETRANS_WITHOUT_FAILED);
}

void lines_close(struct lines *lines)
{
	char *endless = malloc((256 << 10) + 2);
	struct tcpretrans_event event = {};

	MUST(endless);
	memset(endless, ' ', (256 << 10) + 1);
	endless[(256 << 10) + 1] = '\0';
	MUST(tcpretrans_ndjson_label(lines->writer, &event, endless, 0) == -E2BIG);
	free(endless);
	tcpretrans_ndjson_close(lines->writer);
}
