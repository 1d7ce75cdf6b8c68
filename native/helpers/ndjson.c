/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as lines of JSON: what `trace --json` prints. Belongs to no tracer. */
#include "../libtcpretrans.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "json_text.h"
#include "labels.h"

#define START    "{\"type\":\"event\",\"time\":\""
#define LINE_MAX 4096 /* more than any line takes, its label aside, and room to write beyond its end */

/* A value's name, in quotes. */
struct name {
	char    text[16]; /* of a fixed length, so that copying takes no call */
	uint8_t length;   /* 0: none */
};

#define NAME(text) { "\"" text "\"", sizeof("\"" text "\"") - 1 }
#define COUNT(names) (sizeof(names) / sizeof(*(names)))

static const struct name kinds[] = { NAME("skb"), NAME("synack") };
static const struct name states[] = {
	{}, NAME("ESTABLISHED"), NAME("SYN_SENT"), NAME("SYN_RECV"), NAME("FIN_WAIT1"),
	NAME("FIN_WAIT2"), NAME("TIME_WAIT"), NAME("CLOSE"), NAME("CLOSE_WAIT"), NAME("LAST_ACK"),
	NAME("LISTEN"), NAME("CLOSING"), NAME("NEW_SYN_RECV"),
};
static const struct name reasons[] = {
	{}, NAME("rto"), NAME("fast"), NAME("tlp"), NAME("syn"), NAME("synack"),
	NAME("loss_recovery"), NAME("pmtu"),
};
static const struct name hows[] = {
	{}, NAME("waiting"), NAME("lock"), NAME("last_user"), NAME("file"), NAME("close"),
	NAME("iterator"), NAME("inherited"), NAME("opener"),
};

struct tcpretrans_ndjson {
	struct labels labels;
	struct json_addresses addresses;
	struct json_second second;
};

int tcpretrans_ndjson_open(struct tcpretrans_ndjson **out)
{
	int err;

	if (!out)
		return -EINVAL;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	err = labels_open(&(*out)->labels);
	if (err) {
		tcpretrans_ndjson_close(*out);
		*out = NULL;
	}
	return err;
}

int tcpretrans_ndjson_label(struct tcpretrans_ndjson *writer, const struct tcpretrans_event *event,
			    const char *members, uint64_t until_ns)
{
	if (!writer || !event || !members)
		return -EINVAL;
	return labels_put(&writer->labels, event, members, strlen(members), until_ns);
}

/* A number that stands for a name; one that nobody knows shows as itself, or as not known. */
static char *put_name(char *at, const struct name *names, size_t count, uint8_t number, bool or_null)
{
	if (number < count && names[number].length) {
		memcpy(at, names[number].text, sizeof(names[number].text));
		return at + names[number].length;
	}
	if (or_null)
		return json_put(at, "null");
	*at++ = '"';
	at = json_put_number(at, number);
	*at++ = '"';
	return at;
}

/* Members of the object, put where the line ends so far. This is code and no table that a loop reads:
 * lengths and places are known to the compiler then, and each member has branches of its own. */
#define MEMBER(f, value) \
	do { \
		at = json_put(at, ",\"" #f "\":"); \
		at = (value); \
	} while (0)
#define IF_KNOWN(bit, value) (event->known & TCPRETRANS_KNOWN_##bit ? (value) : json_put(at, "null"))
#define NUMBER(f)         MEMBER(f, json_put_number(at, event->f))
#define NULLABLE(f, bit)  MEMBER(f, IF_KNOWN(bit, json_put_number(at, event->f)))
#define SOCK(f)           NULLABLE(f, SOCK)
#define SNDBUF(f)         NULLABLE(f, SNDBUF)
#define BYTES(f)          NULLABLE(f, BYTES)
#define SIGNED(f, bit)    MEMBER(f, IF_KNOWN(bit, json_put_signed(at, event->f)))
#define TEXT(f, bit)      MEMBER(f, IF_KNOWN(bit, json_put_text(at, event->f, sizeof(event->f))))
#define ADDRESS(f)        MEMBER(f, json_put_address(&writer->addresses, at, event->family, event->f))
#define NAMED(f, names, or_null) MEMBER(f, put_name(at, names, COUNT(names), event->f, or_null))

static char *put_event(struct tcpretrans_ndjson *writer, char *at, const struct tcpretrans_event *event,
		       int64_t wall_offset_ns)
{
	at = json_put(at, START);
	at = json_put_time(&writer->second, at, event->ts_ns, wall_offset_ns);
	*at++ = '"';
	NUMBER(ts_ns); NULLABLE(cgroup_id, CGROUP_ID); NULLABLE(sock_cookie, SOCK_COOKIE);
	NULLABLE(stall_us, STALL); BYTES(bytes_sent); BYTES(bytes_retrans); SOCK(bytes_acked);
	ADDRESS(saddr); ADDRESS(daddr); TEXT(ca_name, SOCK); TEXT(owner_comm, OWNER);
	NULLABLE(netns, NETNS); NULLABLE(uid, UID); NULLABLE(owner_pid, OWNER); SNDBUF(seq);
	SNDBUF(end_seq); SOCK(snd_una); SNDBUF(len); NULLABLE(segs, SEGS);
	NULLABLE(skipped_segs, SEGS); SOCK(total_retrans); SIGNED(err, SENT); SOCK(mark);
	SOCK(ifindex); NULLABLE(rto_us, JIFFIES); NULLABLE(srtt_us, RTT); NULLABLE(rttvar_us, RTT);
	SOCK(snd_cwnd); SOCK(ssthresh); SOCK(packets_out); SOCK(sacked_out); SOCK(lost_out);
	SOCK(retrans_out); SOCK(delivered); SOCK(mss); BYTES(dsack_dups); BYTES(reord_seen);
	SOCK(undo_retrans); NUMBER(sport); NUMBER(dport); NUMBER(family);
	NAMED(kind, kinds, false); NAMED(state, states, false); NAMED(reason, reasons, true);
	SNDBUF(tcp_flags); SOCK(ca_state); SOCK(icsk_pending); SOCK(retransmits); SOCK(backoff);
	NAMED(owner_how, hows, true); NULLABLE(owner_shared, SHARED); NULLABLE(limited_segs, SEGS);
	return at;
}

static char *put_label(const struct labels *labels, char *at, const struct label *label)
{
	if (label && label->length) {
		*at++ = ',';
		memcpy(at, labels->texts + label->at, label->length);
		at += label->length;
	}
	return json_put(at, "}\n");
}

static bool is_failed(const struct tcpretrans_event *event)
{
	return event->known & TCPRETRANS_KNOWN_SENT && event->err;
}

int tcpretrans_ndjson_write(struct tcpretrans_ndjson *writer, const struct tcpretrans_event *events,
			    int n, struct tcpretrans_text *text)
{
	const struct label *label = NULL;
	char *at;
	int i;

	if (!writer || !text || n < 0 || text->size < sizeof(*text) || text->used > text->room ||
	    (n && (!events || !text->bytes)))
		return -EINVAL;
	text->wants_label = 0;
	for (i = 0; i < n; i++) {
		if (text->without & TCPRETRANS_WITHOUT_FAILED && is_failed(&events[i]))
			continue;
		if (!(text->without & TCPRETRANS_WITHOUT_LABELS)) {
			label = labels_find(&writer->labels, &events[i]);
			text->wants_label = !label;
			if (!label)
				break;
		}
		if (text->room - text->used < LINE_MAX + (label ? label->length : 0))
			return i || text->used ? i : -ENOBUFS;
		at = put_event(writer, text->bytes + text->used, &events[i], text->wall_offset_ns);
		at = put_label(&writer->labels, at, label);
		text->used = at - text->bytes;
	}
	return i;
}

void tcpretrans_ndjson_close(struct tcpretrans_ndjson *writer)
{
	if (!writer)
		return;
	labels_close(&writer->labels);
	free(writer);
}
