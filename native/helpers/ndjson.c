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

enum kind { UINT8 = 1, UINT16 = 2, UINT32 = 4, UINT64 = 8, INT32, ADDRESS, TEXT, KIND, STATE, REASON, HOW };

/* One member of the object. `known`: the bit without which it is null, 0 where it has none. */
struct member {
	char     name[24]; /* with all that JSON puts around it */
	uint8_t  length;
	uint8_t  kind;
	uint16_t offset;
	uint32_t known;
};

#define NAMED(f, kind, known) { ",\"" #f "\":", sizeof(",\"" #f "\":") - 1, kind, \
				offsetof(struct tcpretrans_event, f), known }
#define NUMBER(f, known) NAMED(f, sizeof(((struct tcpretrans_event *)0)->f), known)
#define SOCK(f)          NUMBER(f, TCPRETRANS_KNOWN_SOCK)
#define SNDBUF(f)        NUMBER(f, TCPRETRANS_KNOWN_SNDBUF)
#define BYTES(f)         NUMBER(f, TCPRETRANS_KNOWN_BYTES)

static const struct member members[] = {
	NUMBER(ts_ns, 0), NUMBER(cgroup_id, TCPRETRANS_KNOWN_CGROUP_ID),
	NUMBER(sock_cookie, TCPRETRANS_KNOWN_SOCK_COOKIE), NUMBER(stall_us, TCPRETRANS_KNOWN_STALL),
	BYTES(bytes_sent), BYTES(bytes_retrans), SOCK(bytes_acked), NAMED(saddr, ADDRESS, 0),
	NAMED(daddr, ADDRESS, 0), NAMED(ca_name, TEXT, TCPRETRANS_KNOWN_SOCK),
	NAMED(owner_comm, TEXT, TCPRETRANS_KNOWN_OWNER), NUMBER(netns, TCPRETRANS_KNOWN_NETNS),
	NUMBER(uid, TCPRETRANS_KNOWN_UID), NUMBER(owner_pid, TCPRETRANS_KNOWN_OWNER), SNDBUF(seq),
	SNDBUF(end_seq), SOCK(snd_una), SNDBUF(len), NUMBER(segs, TCPRETRANS_KNOWN_SEGS),
	NUMBER(skipped_segs, TCPRETRANS_KNOWN_SEGS), SOCK(total_retrans),
	NAMED(err, INT32, TCPRETRANS_KNOWN_SENT), SOCK(mark), SOCK(ifindex),
	NUMBER(rto_us, TCPRETRANS_KNOWN_JIFFIES), NUMBER(srtt_us, TCPRETRANS_KNOWN_RTT),
	NUMBER(rttvar_us, TCPRETRANS_KNOWN_RTT), SOCK(snd_cwnd), SOCK(ssthresh), SOCK(packets_out),
	SOCK(sacked_out), SOCK(lost_out), SOCK(retrans_out), SOCK(delivered), SOCK(mss),
	BYTES(dsack_dups), BYTES(reord_seen), SOCK(undo_retrans), NUMBER(sport, 0), NUMBER(dport, 0),
	NUMBER(family, 0), NAMED(kind, KIND, 0), NAMED(state, STATE, 0), NAMED(reason, REASON, 0),
	SNDBUF(tcp_flags), SOCK(ca_state), SOCK(icsk_pending), SOCK(retransmits), SOCK(backoff),
	NAMED(owner_how, HOW, 0), NUMBER(owner_shared, TCPRETRANS_KNOWN_SHARED),
};

#define COUNT(names) (sizeof(names) / sizeof(*(names)))

static const char *const kinds[] = { "skb", "synack" };
static const char *const states[] = {
	NULL, "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
};
static const char *const reasons[] = {
	NULL, "rto", "fast", "tlp", "syn", "synack", "loss_recovery", "pmtu",
};
static const char *const hows[] = {
	NULL, "waiting", "lock", "last_user", "file", "close", "iterator", "inherited", "opener",
};

struct tcpretrans_ndjson {
	struct labels labels;
	struct json_addresses addresses;
	struct json_second second;
};

int tcpretrans_ndjson_open(struct tcpretrans_ndjson **out)
{
	int err;

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
	return labels_put(&writer->labels, event, members, strlen(members), until_ns);
}

/* A number that stands for a name; one that nobody knows shows as itself, or as not known. */
static char *put_name(char *at, const char *const *names, size_t count, uint8_t number, bool or_null)
{
	const char *name = number < count ? names[number] : NULL;

	if (!name && or_null)
		return json_put(at, "null");
	*at++ = '"';
	at = name ? json_put(at, name) : json_put_number(at, number);
	*at++ = '"';
	return at;
}

static char *put_value(struct tcpretrans_ndjson *writer, char *at, const struct member *member,
		       const struct tcpretrans_event *event)
{
	const char *field = (const char *)event + member->offset;

	switch ((enum kind)member->kind) {
	case UINT8:
		return json_put_number(at, *(const uint8_t *)field);
	case UINT16:
		return json_put_number(at, *(const uint16_t *)field);
	case UINT32:
		return json_put_number(at, *(const uint32_t *)field);
	case UINT64:
		return json_put_number(at, *(const uint64_t *)field);
	case INT32:
		return json_put_signed(at, *(const int32_t *)field);
	case ADDRESS:
		return json_put_address(&writer->addresses, at, event->family, (const uint8_t *)field);
	case TEXT:
		return json_put_text(at, field, 16);
	case KIND:
		return put_name(at, kinds, COUNT(kinds), *(const uint8_t *)field, false);
	case STATE:
		return put_name(at, states, COUNT(states), *(const uint8_t *)field, false);
	case REASON:
		return put_name(at, reasons, COUNT(reasons), *(const uint8_t *)field, true);
	case HOW:
		return put_name(at, hows, COUNT(hows), *(const uint8_t *)field, true);
	}
	return at;
}

static char *put_event(struct tcpretrans_ndjson *writer, char *at, const struct tcpretrans_event *event,
		       int64_t wall_offset_ns)
{
	at = json_put(at, START);
	at = json_put_time(&writer->second, at, event->ts_ns, wall_offset_ns);
	*at++ = '"';
	for (const struct member *member = members; member < members + COUNT(members); member++) {
		memcpy(at, member->name, sizeof(member->name));
		at += member->length;
		if (member->known && !(event->known & member->known))
			at = json_put(at, "null");
		else
			at = put_value(writer, at, member, event);
	}
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

	if (n < 0 || text->size < sizeof(*text) || text->used > text->room)
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
