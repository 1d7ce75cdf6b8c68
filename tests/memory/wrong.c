/* SPDX-License-Identifier: BSD-2-Clause */
/* What no caller should do: each is refused, most with a sentence, and nothing is left of it. */
#include "exercise.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define KNOWN sizeof(struct tcpretrans_opts)
#define FEWEST 20 /* descriptors that an open tracer surely has */

static int descriptors;

/* Where `size` bytes end, the block ends too, so that a sanitizer sees who reads on. */
static void *block(const void *from, size_t size, size_t known)
{
	char *made = calloc(1, size);

	MUST(made);
	memcpy(made, from, size < known ? size : known);
	return made;
}

static int try_open(const struct tcpretrans_opts *opts)
{
	struct tcpretrans *tracer = (void *)opts;
	int err = tcpretrans_open(opts, &tracer);

	MUST(err <= 0 && !err == !!tracer);
	tcpretrans_close(tracer);
	MUST(open_descriptors() == descriptors);
	return err;
}

static void must_fail(struct tcpretrans_opts opts, int code)
{
	char text[400] = "", one[1] = "x";

	opts.size = sizeof(opts);
	MUST(try_open(&opts) == code); /* with no room for a sentence, */
	opts.error = one;
	opts.error_size = 1;
	MUST(try_open(&opts) == code && !*one); /* hardly any, */
	opts.error = text;
	opts.error_size = sizeof(text);
	MUST(try_open(&opts) == code); /* and enough */
	if (code != -EMFILE)
		printf("%d %s\n", code, text);
	MUST(strlen(text) > 20 && !strchr(text, '\n'));
}

static int set_filter(struct tcpretrans *tracer, const struct tcpretrans_conditions *conditions, char *text)
{
	const struct tcpretrans_filter filter = { .never = conditions };

	*text = '\0';
	return tcpretrans_set_filter(tracer, &filter, text, 400);
}

static void wrong_options(void)
{
	const struct tcpretrans_opts inputs[] = {
		{ .ring_bytes = 12345 }, { .ring_bytes = 2048 }, { .attach = 5 }, { .attach = UINT32_MAX }, { .buffer = 3 },
		{ .count_by = 9 }, { .count_rows = (1 << 24) + 1 }, { .prefix4 = 33 }, { .prefix6 = 129 },
		{ .count_by = TCPRETRANS_COUNT_PID, .no_owners = 1 }, { .btf = "/nowhere", .attach = 1 },
		{ .btf = "/nowhere", .attach = 3 }, { .btf = "/nowhere", .attach = 2 }, { .btf = "/dev/null" },
		{ .btf = "/proc/self/exe", .attach = 2 },
	};

	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
		must_fail(inputs[i], -EINVAL);
}

static void wrong_filters(struct tcpretrans *tracer)
{
	const struct tcpretrans_range backwards = { 2, 1 };
	const struct tcpretrans_prefix of_five = { .family = 5 }, long_four = { .family = 4, .bits = 33 };
	const struct tcpretrans_prefix long_six = { .family = 6, .bits = 129 };
	const uint32_t number = 1;
	const struct tcpretrans_conditions inputs[] = {
		{ .size = 4 }, { .family = 5 }, { .states = 1 }, { .states = 1 << 13 }, { .reasons = 1 }, { .reasons = 1 << 8 },
		{ .ports = &backwards, .n_ports = 1 }, { .local_ports = &backwards, .n_local_ports = 1 },
		{ .remote_ports = &backwards, .n_remote_ports = 1 }, { .address = &of_five, .n_address = 1 },
		{ .local = &long_four, .n_local = 1 }, { .remote = &long_six, .n_remote = 1 },
		{ .n_netns = 1 }, { .n_ports = SIZE_MAX }, { .n_uids = SIZE_MAX }, { .n_pids = 1 }, { .n_cgroups = 1 },
		{ .uids = &number, .n_uids = 65537 }, { .pids = &number, .n_pids = SIZE_MAX / 2 },
	};

	char text[400];

	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
		struct tcpretrans_conditions conditions = inputs[i];

		conditions.size = conditions.size ? conditions.size : sizeof(conditions);
		MUST(set_filter(tracer, &conditions, text) == -EINVAL && strlen(text) > 20);
		puts(text);
	}
	must_fail((struct tcpretrans_opts){ .filter = &(struct tcpretrans_filter){ .only = &inputs[0] } }, -EINVAL);
}

/* As old programs have them, as newer ones do, and as nobody does. */
static void sizes_of_options(void)
{
	char text[400] = "";
	const struct tcpretrans_opts good = { .error = text, .error_size = sizeof(text) };

	for (size_t size = sizeof(size_t); size <= KNOWN + 32; size += 8) {
		struct tcpretrans_opts *opts = block(&good, size, KNOWN);

		opts->size = size;
		if (size > KNOWN - 16) /* each takes a while */
			MUST(!try_open(opts));
		if (size > KNOWN) {
			((char *)opts)[size - 1] = 1;
			MUST(try_open(opts) == -E2BIG && strstr(text, "sizeof(struct tcpretrans_opts)"));
		}
		free(opts);
	}
	for (size_t size = 4097; size; size *= 2) {
		struct tcpretrans_opts *opts = block(&good, KNOWN, KNOWN); /* it has no more than that */

		opts->size = size;
		*text = '\0';
		MUST(try_open(opts) == -E2BIG && strstr(text, "sizeof(struct tcpretrans_opts)"));
		free(opts);
	}
	for (size_t size = 0; size < sizeof(size_t); size++)
		MUST(try_open(&(struct tcpretrans_opts){ .size = size }) == -EINVAL);
}

static void sizes_of_conditions(struct tcpretrans *tracer)
{
	const size_t known = sizeof(struct tcpretrans_conditions);
	const struct tcpretrans_conditions good = { .family = 6 };
	char text[400];

	for (size_t size = sizeof(size_t); size <= known + 16; size += 8) {
		struct tcpretrans_conditions *conditions = block(&good, size, known);

		conditions->size = size;
		MUST(!set_filter(tracer, conditions, text) && !*text);
		if (size > known) {
			((char *)conditions)[known] = 1;
			MUST(set_filter(tracer, conditions, text) == -E2BIG && strstr(text, "does not know"));
		}
		free(conditions);
	}
	for (size_t size = 4097; size; size *= 2) {
		struct tcpretrans_conditions *conditions = block(&good, known, known);

		conditions->size = size;
		MUST(set_filter(tracer, conditions, text) == -E2BIG && strstr(text, "does not know"));
		free(conditions);
	}
	MUST(!tcpretrans_set_filter(tracer, NULL, NULL, 0));
}

static void no_pointers(struct tcpretrans *tracer)
{
	struct tcpretrans_event event = {};
	struct tcpretrans_stats stats;
	struct tcpretrans_capabilities capabilities;
	struct tcpretrans_count beyond;
	uint64_t number;
	char text[400] = "";

	MUST(tcpretrans_open(NULL, NULL) == -EINVAL);
	MUST(tcpretrans_stats(tracer, NULL, sizeof(stats)) == -EINVAL);
	MUST(tcpretrans_stats(NULL, &stats, sizeof(stats)) == -EINVAL);
	MUST(tcpretrans_capabilities(tracer, NULL, sizeof(capabilities)) == -EINVAL);
	MUST(tcpretrans_capabilities(NULL, &capabilities, sizeof(capabilities)) == -EINVAL);
	MUST(tcpretrans_counts(tracer, NULL, 0, NULL) == -EINVAL);
	MUST(tcpretrans_counts(tracer, NULL, 1, &beyond) == -EINVAL);
	MUST(tcpretrans_counts(tracer, NULL, -1, &beyond) == -EINVAL);
	MUST(tcpretrans_counts(NULL, NULL, 0, &beyond) == -EINVAL);
	MUST(tcpretrans_netns(tracer, NULL, 1) == -EINVAL && tcpretrans_netns(NULL, NULL, 0) == -EINVAL);
	MUST(tcpretrans_netns(tracer, NULL, -1) == -EINVAL);
	MUST(tcpretrans_kernel_segs(tracer, 0, NULL, &number) == -EINVAL);
	MUST(tcpretrans_kernel_segs(tracer, 0, &number, NULL) == -EINVAL);
	MUST(tcpretrans_kernel_segs(tracer, -1, &number, &number) == -EBADF);
	MUST(tcpretrans_kernel_segs(NULL, 0, &number, &number) < 0); /* that is no namespace */
	MUST(tcpretrans_drain(tracer, NULL, 1) == -EINVAL && tcpretrans_drain(NULL, &event, 1) == -EINVAL);
	MUST(tcpretrans_drain(tracer, &event, -1) == -EINVAL && !tcpretrans_drain(tracer, NULL, 0));
	MUST(tcpretrans_poll(NULL, 0) == -EINVAL && tcpretrans_stop(NULL) == -EINVAL && tcpretrans_fd(NULL) == -EINVAL);
	MUST(tcpretrans_run(tracer, NULL, NULL) == -EINVAL);
	MUST(tcpretrans_set_filter(NULL, NULL, text, sizeof(text)) == -EINVAL && *text);
	MUST(!*tcpretrans_notes(NULL) && !tcpretrans_fields(NULL));
	tcpretrans_close(NULL);
}

static void no_writers(void)
{
	struct tcpretrans_event event = {};
	struct tcpretrans_ndjson *writer;
	char bytes[64];
	struct tcpretrans_text text = { .size = sizeof(text), .bytes = bytes, .room = sizeof(bytes) };

	MUST(tcpretrans_ndjson_open(NULL) == -EINVAL && !tcpretrans_ndjson_open(&writer));
	MUST(tcpretrans_ndjson_label(writer, NULL, "", 0) == -EINVAL);
	MUST(tcpretrans_ndjson_label(writer, &event, NULL, 0) == -EINVAL);
	MUST(tcpretrans_ndjson_label(NULL, &event, "", 0) == -EINVAL);
	MUST(tcpretrans_ndjson_write(writer, &event, 1, NULL) == -EINVAL);
	MUST(tcpretrans_ndjson_write(writer, NULL, 1, &text) == -EINVAL);
	MUST(tcpretrans_ndjson_write(NULL, &event, 1, &text) == -EINVAL);
	MUST(!tcpretrans_ndjson_write(writer, &event, 1, &text) && text.wants_label);
	MUST(!tcpretrans_ndjson_label(writer, &event, "", UINT64_MAX));
	MUST(tcpretrans_ndjson_write(writer, &event, 1, &text) == -ENOBUFS);
	text.size--;
	MUST(tcpretrans_ndjson_write(writer, &event, 1, &text) == -EINVAL);
	text.size++;
	text.used = text.room + 1;
	MUST(tcpretrans_ndjson_write(writer, &event, 1, &text) == -EINVAL);
	tcpretrans_ndjson_close(writer);
	tcpretrans_ndjson_close(NULL);
}

/* Wherever the descriptors run out: told so, and none is left open; until there are enough. */
static void few_descriptors(unsigned long step)
{
	struct rlimit before, few;
	int err = -EMFILE, more;

	MUST(!getrlimit(RLIMIT_NOFILE, &before));
	for (more = 1; err; more += step) {
		struct tcpretrans_opts opts = { .size = sizeof(opts) };
		struct tcpretrans *tracer = NULL;

		few = before;
		few.rlim_cur = descriptors - 1 + more; /* one of them was the folder's own */
		MUST(!setrlimit(RLIMIT_NOFILE, &few));
		err = tcpretrans_open(&opts, &tracer);
		MUST(!setrlimit(RLIMIT_NOFILE, &before));
		tcpretrans_close(tracer);
		MUST((!err || err == -EMFILE) && open_descriptors() == descriptors);
	}
	MUST(more > FEWEST);
}

void wrong(struct task *task)
{
	const struct tcpretrans_opts plain = {};
	struct tcpretrans *tracer;

	descriptors = open_descriptors();
	MUST(!try_open(NULL));
	wrong_options();
	sizes_of_options();
	tracer = open_one(task, &plain);
	descriptors = open_descriptors();
	wrong_filters(tracer);
	sizes_of_conditions(tracer);
	no_pointers(tracer);
	no_writers();
	tcpretrans_close(tracer);
	descriptors = open_descriptors();
	few_descriptors(task->number);
	puts("{}");
}
