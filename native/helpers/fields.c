/* SPDX-License-Identifier: BSD-2-Clause */
#include "fields.h"

#define FIELD(f) { #f, offsetof(struct tcpretrans_event, f), sizeof(((struct tcpretrans_event *)0)->f) }

const struct tcpretrans_field event_fields[] = {
	FIELD(ts_ns), FIELD(known), FIELD(cgroup_id), FIELD(sock_cookie), FIELD(stall_us),
	FIELD(bytes_sent), FIELD(bytes_retrans), FIELD(bytes_acked), FIELD(saddr),
	FIELD(daddr), FIELD(ca_name), FIELD(owner_comm), FIELD(netns), FIELD(uid),
	FIELD(owner_pid), FIELD(seq), FIELD(end_seq), FIELD(snd_una), FIELD(len),
	FIELD(segs), FIELD(skipped_segs), FIELD(total_retrans), FIELD(err), FIELD(mark),
	FIELD(ifindex), FIELD(rto_us), FIELD(srtt_us), FIELD(rttvar_us), FIELD(snd_cwnd),
	FIELD(ssthresh), FIELD(packets_out), FIELD(sacked_out), FIELD(lost_out),
	FIELD(retrans_out), FIELD(delivered), FIELD(mss), FIELD(dsack_dups),
	FIELD(reord_seen), FIELD(undo_retrans), FIELD(sport), FIELD(dport), FIELD(family),
	FIELD(kind), FIELD(state), FIELD(reason), FIELD(tcp_flags), FIELD(ca_state),
	FIELD(icsk_pending), FIELD(retransmits), FIELD(backoff), FIELD(owner_how),
	FIELD(owner_shared), FIELD(reserved), FIELD(limited_segs),
};

const size_t event_field_count = sizeof(event_fields) / sizeof(event_fields[0]);
