"""What the kernel tells of a socket through getsockopt(TCP_INFO)."""
import socket
import struct
from typing import Dict

# struct tcp_info (include/uapi/linux/tcp.h): first eight bytes, then these.
BYTES = "state ca_state retransmits probes backoff options scales flags".split()
LAYOUT = struct.Struct("=8B 24I 4Q 6I 4Q 2I 2Q 4I")
NAMES = BYTES + """
    rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent
    last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering
    rcv_rtt rcv_space total_retrans
    pacing_rate max_pacing_rate bytes_acked bytes_received
    segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out
    delivery_rate busy_time rwnd_limited sndbuf_limited
    delivered delivered_ce
    bytes_sent bytes_retrans
    dsack_dups reord_seen rcv_ooopack snd_wnd""".split()


def tcp_info(flow: socket.socket) -> Dict[str, int]:
    packed = flow.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAYOUT.size)
    return dict(zip(NAMES, LAYOUT.unpack(packed)))


def congestion_control(flow: socket.socket) -> str:
    name = flow.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.split(b"\0")[0].decode()
