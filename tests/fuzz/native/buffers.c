/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies in ring and perf buffers, as the programs of another build may write it: records of any length
 * and content, unfinished ones, ones taken back, losses; and the owners that are then looked for. The
 * kernel, which lays records down one behind another, and its clock are played here; where the input wants
 * it so, the kernel too writes nonsense.
 */
#define _GNU_SOURCE /* memfd_create */
#include "input.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "buffer.h"
#include "filtering.h"
#include "owners.h"
#include "programs.h"
#include "../bpf/counters.h"
#include "../bpf/owner_question.h"

#define CPUS       2
#define PAGE       4096
#define BYTES      (4 * PAGE)
#define STEPS      64
#define MS         1000000
#define BEGAN      (1000ULL * MS)
#define RING_BUSY  (1U << 31)
#define RING_DISCARDED (1U << 30)

/* A sample of a perf buffer. */
struct sample {
	struct perf_event_header header;
	uint32_t length;
};

static struct world {
	struct input *input;
	uint64_t now;
	unsigned long produced, consumed;   /* of the ring */
	char *ring;                         /* mapped twice in a row */
	struct perf_event_mmap_page *perf[CPUS]; /* each with its data behind it */
	unsigned long busy[STEPS];          /* where records of the ring are not finished */
	int n_busy;
	bool sane;                          /* all records are such as our programs write */
	bool stops;
	uint32_t written, expected, out, rules;
	uint64_t last;                      /* the number of the last record that came out */
	struct programs programs;
	struct owners owners;
	struct buffer buffer;
} world;

/* In place of the kernel, of libbpf and of what speaks with them. */
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	MUST(id == CLOCK_MONOTONIC);
	world.now += 1000;
	*now = (struct timespec){ .tv_sec = world.now / 1000000000, .tv_nsec = world.now % 1000000000 };
	return 0;
}

int __wrap_perf_buffer__buffer(struct perf_buffer *buffers, int place, void **base, size_t *size);
int __wrap_perf_buffer__buffer(struct perf_buffer *buffers, int place, void **base, size_t *size)
{
	MUST(!buffers && place >= 0 && place < CPUS);
	*base = world.perf[place];
	*size = BYTES;
	return 0;
}

int programs_find_holders(const struct programs *programs)
{
	MUST(programs == &world.programs);
	world.now += take_uint8(world.input) * MS;
	return 0;
}

int programs_answer(const struct programs *programs, const struct tcpretrans_question *question,
		    struct tcpretrans_answer *answer)
{
	MUST(programs == &world.programs && question->asked_ns);
	take(world.input, answer, sizeof(*answer));
	return question->sk & 1 ? -ENOENT : 0;
}

void programs_wait(void)
{
}

static void open_world(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *pages = mmap(NULL, 2 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(fd >= 0 && !ftruncate(fd, BYTES) && pages != MAP_FAILED);
	for (int i = 0; i < 2; i++)
		MUST(mmap(pages + i * BYTES, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		     pages + i * BYTES);
	close(fd);
	world.ring = pages;
	for (int i = 0; i < CPUS; i++) {
		world.perf[i] = aligned_alloc(PAGE, PAGE + BYTES);
		MUST(world.perf[i]);
	}
}

/* Records of more namespaces than the programs keep apart. */
static void try_many_namespaces(void)
{
	struct tcpretrans_counters sum = { .events = 2 * MAX_NETNS };
	struct tcpretrans_record record = {};
	struct withheld withheld = {};

	MUST(!withheld_open(&withheld));
	for (int i = 0; i < 2 * MAX_NETNS; i++) {
		record.event.netns = i;
		withheld_add(&withheld, &record);
	}
	withheld_move(&withheld, NULL, &sum);
	MUST(!sum.events && sum.filtered == 2 * MAX_NETNS);
	withheld_close(&withheld);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	open_world();
	try_many_namespaces();
	return 0;
}

static void begin(struct input *input)
{
	uint8_t kind = take_uint8(input);

	world = (struct world){
		.input = input, .now = BEGAN, .ring = world.ring, .perf = { world.perf[0], world.perf[1] },
		.sane = true, .produced = 8UL * take_uint16(input),
	};
	world.consumed = world.produced;
	memset(world.ring, 0, BYTES);
	for (int i = 0; i < CPUS; i++) {
		memset(world.perf[i], 0, PAGE + BYTES);
		world.perf[i]->data_head = world.perf[i]->data_tail = world.produced;
	}
	world.stops = kind & 2;
	world.buffer.is_ring = kind & 1;
	world.buffer.ring = (struct ring){ .consumer = &world.consumed, .producer = &world.produced,
					   .data = world.ring, .bytes = BYTES, .page = PAGE };
	world.buffer.perf.count = CPUS;
	MUST(!withheld_open(&world.programs.withheld) && !owners_open(&world.owners, &world.programs));
}

/* Of ours: with a number, so that it can be told whether it came out, and when. */
static void make_record(struct tcpretrans_record *record, uint8_t shape)
{
	struct input *input = world.input;

	memset(record, 0, sizeof(*record));
	record->event.ts_ns = shape & 1 ? take_uint64(input) : world.now;
	record->question.asked_ns = shape & 2 ? world.now : 0;
	record->question.sk = take_uint8(input);
	record->judgement.filter = shape & 4 ? take_uint8(input) % 4 : 0;
	record->event.known = shape & 8 ? TCPRETRANS_KNOWN_OWNER : 0;
	record->event.owner_pid = take_uint8(input) % 4;
	record->event.netns = shape & 16 ? take_uint32(input) : 1;
	record->event.bytes_sent = ++world.written;
}

static bool put_in_ring(const void *bytes, uint32_t length, uint32_t flags)
{
	unsigned long at = world.produced;
	uint32_t header = length | flags, space = (length + 15) & ~7U;

	if (at + space - world.consumed > BYTES)
		return false; /* lost, which the programs count */
	memcpy(world.ring + at % BYTES, &header, sizeof(header));
	memcpy(world.ring + at % BYTES + 8, bytes, length);
	if (flags & RING_BUSY)
		world.busy[world.n_busy++] = at;
	world.produced += space;
	return true;
}

static void copy_to_perf(struct perf_event_mmap_page *page, const void *bytes, size_t size)
{
	char *data = (char *)page + PAGE;

	for (size_t i = 0; i < size; i++)
		data[page->data_head++ % BYTES] = ((const char *)bytes)[i];
}

static bool put_in_perf(int cpu, const void *bytes, uint32_t length, uint32_t type)
{
	static const char zeros[8];
	struct sample sample = { .length = length, .header.type = type };
	uint32_t space = (sizeof(sample) + length + 7) & ~7U;

	if (world.perf[cpu]->data_head + space - world.perf[cpu]->data_tail > BYTES)
		return false;
	sample.header.size = space;
	copy_to_perf(world.perf[cpu], &sample, sizeof(sample));
	copy_to_perf(world.perf[cpu], bytes, length);
	copy_to_perf(world.perf[cpu], zeros, space - sizeof(sample) - length);
	return true;
}

/* A record of ours, written once or, as in a storm, often. */
static void write_ours(uint8_t shape)
{
	uint8_t how = take_uint8(world.input), times = how & 16 ? 40 : 1;
	uint32_t flags = how % 4 == 1 ? RING_BUSY : how % 4 == 2 ? RING_DISCARDED : 0;
	struct tcpretrans_record record;
	bool written;

	if (flags & RING_BUSY)
		times = 1;
	while (times--) {
		make_record(&record, shape);
		written = world.buffer.is_ring ? put_in_ring(&record, sizeof(record), flags) :
			  put_in_perf(how / 4 % CPUS, &record, sizeof(record), PERF_RECORD_SAMPLE);
		world.expected += written && !(flags & RING_DISCARDED && world.buffer.is_ring);
	}
}

/* One of another length, or a message of the kernel's, which has no record in it. */
static void write_other(void)
{
	uint16_t length = take_uint16(world.input) % 2048;
	uint8_t how = take_uint8(world.input);
	void *bytes = take_block(world.input, length);

	if (world.buffer.is_ring) {
		put_in_ring(bytes, length, how & 1 ? RING_DISCARDED : 0);
		world.sane = world.sane && how & 1;
	} else {
		put_in_perf(how % CPUS, bytes, length, how & 2 ? PERF_RECORD_LOST : PERF_RECORD_SAMPLE);
		world.sane = world.sane && how & 2;
	}
	free(bytes);
}

/* What no kernel writes. */
static void write_nonsense(void)
{
	uint64_t header = take_uint64(world.input);
	uint64_t length = take_uint16(world.input) % BYTES & ~7U;
	int cpu = take_uint8(world.input) % CPUS;

	world.sane = false;
	if (world.buffer.is_ring) {
		memcpy(world.ring + world.produced % BYTES, &header, sizeof(header));
		world.produced += length;
	} else {
		copy_to_perf(world.perf[cpu], &header, sizeof(header));
		world.perf[cpu]->data_head += length;
	}
}

static void finish_busy(void)
{
	uint32_t header = sizeof(struct tcpretrans_record);

	if (world.n_busy)
		memcpy(world.ring + world.busy[--world.n_busy] % BYTES, &header, sizeof(header));
}

/* How many came out, or an error; in the order in which they were written. */
static int drain(int n, bool anyway)
{
	struct tcpretrans_event *events = malloc(n ? n * sizeof(*events) : 1);
	int got;

	MUST(events);
	got = owners_drain(&world.owners, &world.buffer, events, n, anyway);
	MUST(got <= n && (got >= 0 || got == -EPROTO) && (got >= 0 || !world.sane));
	for (int i = 0; i < got && world.sane && world.buffer.is_ring; i++) {
		MUST(events[i].bytes_sent > world.last && events[i].bytes_sent <= world.written);
		world.last = events[i].bytes_sent;
	}
	world.out += got > 0 ? got : 0;
	free(events);
	return got;
}

/* A filter by process, as filtering_set() would leave one behind. */
static void add_rule(void)
{
	struct filtering *filtering = &world.programs.filtering;
	struct pid_rule *rule = take_block(world.input, sizeof(*rule) + 2 * sizeof(*rule->pids));
	uint32_t only = take_uint8(world.input) % 4, never = take_uint8(world.input) % 4;

	*rule = (struct pid_rule){ .older = filtering->rules, .number = ++world.rules,
				   .has_only = only, .n_only = only > 0, .n_never = never > 0 };
	rule->pids[0] = only ? only : never;
	rule->pids[1] = never;
	filtering->rules = rule;
	filtering->n_rules++;
}

/* Nothing is held back for longer than promised, whatever time a record says that it is of. */
static void look(unsigned wanted)
{
	uint64_t wait;

	owners_fetch(&world.owners, &world.buffer, wanted);
	wait = owners_wait_ns(&world.owners);
	MUST(wait == UINT64_MAX ? !world.owners.count : wait <= TCPRETRANS_HOLD_NS);
	owners_again_ns(&world.owners);
}

static void step(void)
{
	uint8_t what = take_uint8(world.input);

	switch (what % 8) {
	case 0:
	case 1:
		write_ours(what / 8);
		break;
	case 2:
		write_other();
		break;
	case 3:
		if (what & 128)
			write_nonsense();
		else
			world.now += (uint64_t)what / 8 * MS;
		break;
	case 4:
		finish_busy();
		break;
	case 5:
		drain(what / 8, false);
		break;
	case 6:
		look(what / 8);
		break;
	default:
		add_rule();
	}
}

/* Everything that is finished has to come out when a tracer stops, or once the time is up for which an
 * event may be held back, whenever it says that it happened. */
static void end(void)
{
	struct tcpretrans_counters sum = { .events = world.expected };
	int rounds = 0;

	while (world.n_busy)
		finish_busy();
	if (world.stops)
		owners_finish(&world.owners, &world.buffer);
	do
		world.now += TCPRETRANS_HOLD_NS;
	while (drain(64, world.stops) > 0 || ++rounds < 3);
	withheld_move(&world.programs.withheld, NULL, &sum);
	MUST(!world.sane || (!buffer_waiting(&world.buffer) && world.out + sum.filtered == world.expected));
	owners_close(&world.owners);
	withheld_close(&world.programs.withheld);
	filtering_free(&world.programs.filtering);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };

	begin(&input);
	for (int i = 0; i < STEPS && input.left; i++)
		step();
	end();
	return 0;
}
