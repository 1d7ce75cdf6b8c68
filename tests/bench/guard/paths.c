/* SPDX-License-Identifier: BSD-2-Clause */
/* paths drain|ndjson COUNT: handle COUNT events that are always the same, for callgrind to count
 * the instructions. The ring is made of plain memory, since valgrind knows no BPF.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libtcpretrans.h"
#include "bpf/owner_question.h"
#include "ring.h"

#define HEADER   8
#define RECORDS  256
#define LENGTH   (HEADER + sizeof(struct tcpretrans_record))
#define TEXT     (1 << 20)

static struct tcpretrans_event events[RECORDS];

/* As of an IPv4 flow that loses: everything is known, and nothing asked. */
static struct tcpretrans_event made_up(unsigned number)
{
	struct tcpretrans_event event = {
		.ts_ns = 1000000000ULL * number, .known = (1 << 14) - 1, .cgroup_id = 4321,
		.stall_us = 200000 + number, .bytes_sent = 123456789, .bytes_retrans = 54321,
		.bytes_acked = 123000000, .netns = 4026531840U, .uid = 1000, .owner_pid = 1234,
		.seq = 0x12345678 + number, .end_seq = 0x12345c20 + number, .len = 1448, .segs = 1,
		.total_retrans = number, .rto_us = 204000, .srtt_us = 1234, .rttvar_us = 567, .snd_cwnd = 10,
		.ssthresh = 7, .packets_out = 10, .mss = 1448, .sport = 443, .dport = 40000 + number,
		.family = 4, .state = 1, .reason = TCPRETRANS_REASON_RTO, .tcp_flags = 24,
		.owner_how = TCPRETRANS_OWNER_WAITING,
	};

	memcpy(event.saddr, "\x0a\x4d\x00\x01", 4);
	memcpy(event.daddr, "\xc0\xa8\x64\xc8", 4);
	strcpy(event.ca_name, "cubic");
	strcpy(event.owner_comm, "nginx: worker");
	return event;
}

/* A ring that holds RECORDS, as the kernel would have written them. */
static struct ring filled(unsigned long *consumer, unsigned long *producer)
{
	const size_t bytes = 1 << 17;
	char *data = calloc(2, bytes);
	struct ring ring = { .consumer = consumer, .producer = producer, .data = data, .bytes = bytes };

	for (unsigned i = 0; i < RECORDS; i++) {
		struct tcpretrans_record record = { .event = made_up(i) };

		*(uint32_t *)(data + i * LENGTH) = sizeof(record);
		memcpy(data + i * LENGTH + HEADER, &record, sizeof(record));
	}
	*producer = RECORDS * LENGTH;
	return ring;
}

static int drain(int count)
{
	unsigned long consumer = 0, producer;
	struct ring ring = filled(&consumer, &producer);

	for (int done = 0; done < count; done += RECORDS) {
		consumer = 0;
		if (ring_read_events(&ring, events, RECORDS) != RECORDS)
			return 1;
	}
	return 0;
}

static int ndjson(int count)
{
	struct tcpretrans_text text = { .size = sizeof(text), .bytes = malloc(TEXT), .room = TEXT,
					.without = TCPRETRANS_WITHOUT_LABELS };
	struct tcpretrans_ndjson *writer;

	if (!text.bytes || tcpretrans_ndjson_open(&writer))
		return 1;
	for (int i = 0; i < RECORDS; i++)
		events[i] = made_up(i);
	for (int done = 0; done < count; done += RECORDS) {
		text.used = 0;
		if (tcpretrans_ndjson_write(writer, events, RECORDS, &text) != RECORDS)
			return 1;
	}
	tcpretrans_ndjson_close(writer);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return strcmp(argv[1], "drain") ? ndjson(atoi(argv[2])) : drain(atoi(argv[2]));
}
