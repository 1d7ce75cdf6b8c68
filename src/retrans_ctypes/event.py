"""The event: one retransmit as the kernel saw it.

Mirrors native/tcpretrans_event.h; _library.py refuses a library whose own table differs.
"""

from socket import AF_INET, AF_INET6, inet_ntop
from typing import Dict, Optional

from .records import Names, Record, named, named_or_none, number, optional, padding, text

# Bits of `known`.
KNOWN_CGROUP_ID = 1 << 0
KNOWN_SOCK_COOKIE = 1 << 1
KNOWN_NETNS = 1 << 2
KNOWN_UID = 1 << 3
KNOWN_SNDBUF = 1 << 4
KNOWN_SOCK = 1 << 5

NET_XMIT_DROP = 1  # include/linux/netdevice.h

KINDS = Names({0: "skb", 1: "synack"})

# include/net/tcp_states.h
STATES = Names(enumerate((
    "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"), 1))


class _Reasons(Dict[int, Optional[str]]):
    def __missing__(self, number: int) -> None:
        return None


REASONS = _Reasons({
    0: None, 1: "rto", 2: "fast", 3: "tlp", 4: "syn", 5: "synack", 6: "loss_recovery"})


def _address(family: int, packed: bytes) -> str:
    if family == 4:
        return inet_ntop(AF_INET, packed[:4])
    return inet_ntop(AF_INET6, packed)


class Event(Record):
    """One retransmitted segment, or a run of segments that the kernel sent as one.

    Immutable. Fields that this kernel could not give are None. The tuple's own items are the raw
    struct values; use the names.
    """

    __slots__ = ()

    ts_ns = number(
        "Q", "ns", "When, on CLOCK_MONOTONIC", "bpf_ktime_get_ns()")
    known = number(
        "Q", "bits", "Which of the optional fields are known", "tcpretrans_event.h", public=False)
    cgroup_id = optional(
        "Q", KNOWN_CGROUP_ID, "inode", "The socket's cgroup v2 directory", "sock.sk_cgrp_data")
    sock_cookie = optional(
        "Q", KNOWN_SOCK_COOKIE, "", "The socket's SO_COOKIE, where somebody asked for it before",
        "sock.__sk_common.skc_cookie")
    saddr = text(
        "16s", _address, "family", "Local address", "sock.__sk_common")
    daddr = text(
        "16s", _address, "family", "Remote address", "sock.__sk_common")
    netns = optional(
        "I", KNOWN_NETNS, "inode", "The socket's network namespace", "net.ns.inum")
    uid = optional(
        "I", KNOWN_UID, "", "User that owns the socket, in the initial user namespace",
        "sock.sk_uid")
    seq = optional(
        "I", KNOWN_SNDBUF, "", "First sequence number sent", "tcp_skb_cb.seq")
    end_seq = optional(
        "I", KNOWN_SNDBUF, "", "One past the last sequence number, SYN and FIN counted",
        "tcp_skb_cb.end_seq")
    snd_una = optional(
        "I", KNOWN_SOCK, "", "First sequence number not yet acknowledged", "tcp_sock.snd_una")
    len = optional(
        "I", KNOWN_SNDBUF, "bytes", "Payload", "sk_buff.len")
    segs = optional(
        "I", KNOWN_SNDBUF, "segments", "Segments, as RetransSegs counts them (1 for a SYN-ACK)",
        "tcp_skb_cb.tcp_gso_segs")
    total_retrans = optional(
        "I", KNOWN_SOCK, "segments", "What this socket has retransmitted so far",
        "tcp_sock.total_retrans")
    err = number(
        "i", "errno", "0; where the transmission failed -errno, or 1 (`NET_XMIT_DROP`) where the local"
        " queue dropped it",
        "tcp_retransmit_skb tracepoint, Linux 6.17")
    mark = optional(
        "I", KNOWN_SOCK, "", "SO_MARK", "sock.sk_mark")
    ifindex = optional(
        "I", KNOWN_SOCK, "", "Device that the socket is bound to, 0 = none",
        "sock.__sk_common.skc_bound_dev_if")
    sport = number(
        "H", "", "Local port", "sock.__sk_common.skc_num")
    dport = number(
        "H", "", "Remote port", "sock.__sk_common.skc_dport")
    family = number(
        "B", "", "IP version, 4 or 6; IPv4-mapped IPv6 is 4", "sock.__sk_common.skc_family")
    kind = named(
        "B", KINDS, "Which tracepoint: `skb` (tcp_retransmit_skb) or `synack`"
        " (tcp_retransmit_synack)", "include/trace/events/tcp.h")
    state = named(
        "B", STATES, "TCP state, such as `ESTABLISHED`", "sock.__sk_common.skc_state")
    reason = named_or_none(
        "B", REASONS, "Why: `rto` (timer), `fast` (loss reported by ACKs), `tlp` (tail loss probe),"
        " `syn`, `synack`, `loss_recovery` (slow start after a timeout)",
        "net/ipv4/tcp_output.c, tcp_timer.c")
    tcp_flags = optional(
        "B", KNOWN_SNDBUF, "bits", "FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128",
        "tcp_skb_cb.tcp_flags, RFC 9293")
    reserved = padding(11)

    @property
    def failed(self) -> bool:
        """True where the transmission failed: no retransmit."""
        return bool(self.err)

    @property
    def local(self) -> str:
        """Local address and port: ``10.0.0.1:80``, ``[2001:db8::1]:80``."""
        return endpoint(self.saddr, self.sport)

    @property
    def remote(self) -> str:
        """Remote address and port, as in ``local``."""
        return endpoint(self.daddr, self.dport)


def endpoint(address: str, port: int) -> str:
    """Address and port in one word, unambiguous for IPv6 too."""
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)
