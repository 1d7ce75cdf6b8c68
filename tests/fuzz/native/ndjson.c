/* SPDX-License-Identifier: BSD-2-Clause */
/* The NDJSON writer: random events and a name, into buffers of many sizes.
 *
 * Input (tests/fuzz/test_native.py reads it too): `without` (1 byte), room (2), wall_offset_ns (8), the
 * length of a name (1), the name, then events.
 */
#include "input.h"
#include "json_check.h"

#include <errno.h>
#include "json_text.h"
#include "libtcpretrans.h"

#define NAME_MAX_BYTES 255
#define LABEL_BYTES    (6 * NAME_MAX_BYTES + 64)
#define EVENTS_MAX     16
#define LINE_BYTES     4096 /* and no more, the label aside */
#define WITHOUT        (TCPRETRANS_WITHOUT_FAILED | TCPRETRANS_WITHOUT_LABELS)

struct job {
	struct tcpretrans_text text; /* as it is to begin with */
	char label[LABEL_BYTES];
	struct tcpretrans_event *events;
	int n;
};

struct output {
	char *bytes;
	size_t used;
};

static void read_job(struct job *job, struct input *input)
{
	char name[NAME_MAX_BYTES];
	size_t length;

	job->text = (struct tcpretrans_text){ .size = sizeof(job->text) };
	job->text.without = take_uint8(input) & WITHOUT;
	job->text.room = take_uint16(input);
	job->text.wall_offset_ns = take_uint64(input);
	length = take_uint8(input);
	length = length < input->left ? length : input->left;
	take(input, name, length);
	*json_put_text(stpcpy(job->label, "\"cmdline\":"), name, length) = '\0';
	if (!length)
		*job->label = '\0'; /* no member at all */
	job->n = (input->left + sizeof(*job->events) - 1) / sizeof(*job->events);
	job->n = job->n < EVENTS_MAX ? job->n : EVENTS_MAX;
	job->events = take_block(input, job->n * sizeof(*job->events));
}

/* Lines into a buffer of exactly `room` bytes, until it is full. How many events are done, or -ENOBUFS. */
static int fill(struct tcpretrans_ndjson *writer, const struct job *job, int from, size_t room,
		struct output *output)
{
	struct tcpretrans_text text = job->text;
	int done, first = from;

	text.room = room;
	text.bytes = malloc(room ? room : 1);
	MUST(text.bytes);
	for (;;) {
		done = tcpretrans_ndjson_write(writer, job->events + from, job->n - from, &text);
		MUST(done == -ENOBUFS || (done >= 0 && from + done <= job->n));
		MUST(text.used <= room);
		from += done > 0 ? done : 0;
		if (done < 0 || !text.wants_label)
			break;
		MUST(from < job->n && !(text.without & TCPRETRANS_WITHOUT_LABELS));
		MUST(!tcpretrans_ndjson_label(writer, &job->events[from], job->label, 0));
	}
	if (text.used)
		memcpy(output->bytes + output->used, text.bytes, text.used);
	output->used += text.used;
	free(text.bytes);
	return done < 0 && from == first ? done : from - first;
}

/* All lines, through buffers of `room` bytes; of more, where not one line has room in there. */
static void write_all(const struct job *job, size_t room, struct output *output)
{
	struct tcpretrans_ndjson *writer;
	int from = 0, done;

	output->bytes = malloc(job->n * (LINE_BYTES + LABEL_BYTES) + 1);
	output->used = 0;
	MUST(output->bytes && !tcpretrans_ndjson_open(&writer));
	while (from < job->n) {
		done = fill(writer, job, from, room, output);
		MUST(done || from == job->n);
		if (done == -ENOBUFS) {
			MUST(room < LINE_BYTES + strlen(job->label));
			room = LINE_BYTES + strlen(job->label);
		}
		from += done > 0 ? done : 0;
	}
	tcpretrans_ndjson_close(writer);
}

static size_t expected_lines(const struct job *job)
{
	size_t lines = 0;

	for (int i = 0; i < job->n; i++)
		lines += !(job->text.without & TCPRETRANS_WITHOUT_FAILED) ||
			 !(job->events[i].known & TCPRETRANS_KNOWN_SENT) || !job->events[i].err;
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	struct output whole, pieces;
	struct job job;
	size_t lines;

	read_job(&job, &input);
	write_all(&job, EVENTS_MAX * (LINE_BYTES + LABEL_BYTES), &whole);
	write_all(&job, job.text.room, &pieces);
	MUST(json_check_lines(whole.bytes, whole.bytes + whole.used, &lines));
	MUST(lines == expected_lines(&job));
	MUST(whole.used == pieces.used && !memcmp(whole.bytes, pieces.bytes, whole.used));
	free(whole.bytes);
	free(pieces.bytes);
	free(job.events);
	return 0;
}
