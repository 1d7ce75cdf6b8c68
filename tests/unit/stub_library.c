/* libtcpretrans without a kernel: the real header, made-up events; JSON is the real one. Knobs are -D macros:
 * STUB_VERSION, STUB_SHIFT (bytes by which 'netns' seems to lie elsewhere), STUB_NO_CLOSE,
 * STUB_OPEN_ERROR, STUB_EVENTS (how many there are), STUB_ERR (their err), STUB_SIGNAL (a signal that comes while
 * run() is between two callbacks), STUB_EINTR (how often run() is interrupted first). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libtcpretrans.h"
#include "helpers/fields.c"
#include "helpers/json_text.c"
#include "helpers/labels.c"
#include "helpers/ndjson.c"

#ifndef STUB_VERSION
#define STUB_VERSION "0.1.0 abi 2"
#endif
#ifndef STUB_SHIFT
#define STUB_SHIFT 0
#endif
#ifndef STUB_EVENTS
#define STUB_EVENTS 3
#endif
#ifndef STUB_ERR
#define STUB_ERR (-ENOBUFS)
#endif
#ifndef STUB_EINTR
#define STUB_EINTR 0
#endif

struct tcpretrans {
	struct tcpretrans_opts opts;
	uint32_t family; /* of the filter */
	int interrupted;
	int stopped;
	int made;
	int pipe[2];
	char notes[100];
};

int tcpretrans_set_filter(struct tcpretrans *tracer, const struct tcpretrans_filter *filter, char *error,
			  size_t error_size)
{
	uint32_t family = filter && filter->only ? filter->only->family : 0;

	if (family == 6 && tracer->made) {
		strncpy(error, "the stub wants no IPv6 now", error_size);
		return -EINVAL;
	}
	tracer->family = family;
	return 0;
}

int tcpretrans_open(const struct tcpretrans_opts *opts, struct tcpretrans **out)
{
#ifdef STUB_OPEN_ERROR
	strncpy(opts->error, "the stub refuses", opts->error_size);
	return -STUB_OPEN_ERROR;
#endif
	*out = calloc(1, sizeof(**out));
	(*out)->opts = *opts;
	tcpretrans_set_filter(*out, opts->filter, NULL, 0);
	if (opts->btf)
		strncpy((*out)->notes, opts->btf, sizeof((*out)->notes) - 1);
	return pipe((*out)->pipe);
}

static struct tcpretrans_event make(struct tcpretrans *tracer)
{
	return (struct tcpretrans_event){
		.ts_ns = 1000 + tracer->made++,
		.known = TCPRETRANS_KNOWN_NETNS | TCPRETRANS_KNOWN_SENT,
		.netns = tracer->family,
		.uid = 7,
		.mark = tracer->opts.ring_bytes,
		.saddr = { 10, 0, 0, 1 },
		.daddr = { 10, 0, 0, 2 },
		.sport = 1234,
		.dport = 80,
		.err = STUB_ERR,
		.family = 4,
		.kind = TCPRETRANS_KIND_SYNACK,
		.state = 3,
		.reason = TCPRETRANS_REASON_SYNACK,
		.tcp_flags = 18,
	};
}

int tcpretrans_poll(struct tcpretrans *tracer, int timeout_ms)
{
	return tracer->stopped ? -ECANCELED : tracer->made < STUB_EVENTS;
}

int tcpretrans_drain(struct tcpretrans *tracer, struct tcpretrans_event *events, int n)
{
	int count = 0;

	while (count < n && tracer->made < STUB_EVENTS)
		events[count++] = make(tracer);
	return count;
}

int tcpretrans_run(struct tcpretrans *tracer, tcpretrans_callback callback, void *ctx)
{
	int verdict = 0;

	if (tracer->interrupted++ < STUB_EINTR)
		return -EINTR;
	while (!verdict && tracer->made < STUB_EVENTS) {
		struct tcpretrans_event event = make(tracer);
#ifdef STUB_SIGNAL
		kill(getpid(), STUB_SIGNAL);
#endif
		verdict = callback(&event, ctx);
	}
	return verdict;
}

int tcpretrans_stop(struct tcpretrans *tracer)
{
	tracer->stopped = 1;
	return 0;
}

int tcpretrans_stats(struct tcpretrans *tracer, struct tcpretrans_stats *stats, size_t size)
{
	struct tcpretrans_stats made = {
		.events = 11, .segs = 12, .failed = 13, .lost = 14, .lost_segs = 15, .filtered = 16,
		.filtered_segs = 17, .missed = 18, .drained = 19, .failed_segs = 20, .skipped_segs = 21,
		.limited = 22, .limited_segs = 23,
	};

	if (size != sizeof(made))
		return -EINVAL;
	*stats = made;
	return 0;
}

int tcpretrans_netns(struct tcpretrans *tracer, struct tcpretrans_netns *rows, int n)
{
	for (int i = 0; i < n && i < 2; i++)
		rows[i] = (struct tcpretrans_netns){ .cookie = 100 + i, .netns = 200 + i, .segs = 5 };
	return 2;
}

/* Three rows; their bytes, their number and what is beyond them echo the options. */
int tcpretrans_counts(struct tcpretrans *tracer, struct tcpretrans_count *rows, int n,
		      struct tcpretrans_count *beyond)
{
	for (int i = 0; i < n && i < 3; i++)
		rows[i] = (struct tcpretrans_count){
			.events = 1 + i, .segs = 10 + i, .bytes = tracer->opts.rate, .number = tracer->opts.count_by,
			.saddr = { 10, 0, 0, 1 }, .daddr = { 10, 0, i, 2 }, .sport = 80, .dport = 443, .family = 4,
		};
	*beyond = (struct tcpretrans_count){
		.events = tracer->opts.burst, .segs = tracer->opts.count_rows,
		.bytes = 1000 * tracer->opts.prefix4 + tracer->opts.prefix6,
	};
	return 3;
}

int tcpretrans_kernel_segs(struct tcpretrans *tracer, int netns_fd, uint64_t *segs, uint64_t *cookie)
{
	return -EPERM;
}

int tcpretrans_capabilities(const struct tcpretrans *tracer, struct tcpretrans_capabilities *capabilities,
			    size_t size)
{
	if (size != sizeof(*capabilities))
		return -EINVAL;
	*capabilities = (struct tcpretrans_capabilities){
		.attach = tracer->opts.attach, .buffer = tracer->opts.buffer, .buffer_bytes = tracer->opts.ring_bytes,
		.can = TCPRETRANS_CAN_LEDGER | TCPRETRANS_CAN_COOKIE, .known = (1ULL << 63) - 1 - TCPRETRANS_KNOWN_STALL,
	};
	return 0;
}

const char *tcpretrans_notes(const struct tcpretrans *tracer)
{
	return tracer->notes;
}

int tcpretrans_drop_rights(uint32_t uid, uint32_t gid)
{
	return uid == 0 ? -(int)gid : 0;
}

uint64_t tcpretrans_lasting_rights(void)
{
	return 1ULL << 39;
}

int tcpretrans_fd(const struct tcpretrans *tracer)
{
	return tracer->pipe[0];
}

const struct tcpretrans_field *tcpretrans_fields(size_t *count)
{
	static struct tcpretrans_field fields[100];

	memcpy(fields, event_fields, event_field_count * sizeof(*fields));
	for (*count = 0; *count < event_field_count; ++*count)
		if (!strcmp(fields[*count].name, "netns"))
			fields[*count].offset += STUB_SHIFT;
	return fields;
}

const char *tcpretrans_version(void)
{
	return STUB_VERSION;
}

#ifndef STUB_NO_CLOSE
void tcpretrans_close(struct tcpretrans *tracer)
{
	if (!tracer)
		return;
	close(tracer->pipe[0]);
	close(tracer->pipe[1]);
	free(tracer);
}
#endif
