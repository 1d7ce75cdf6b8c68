"""The event: one retransmit as the kernel saw it.

Mirrors native/tcpretrans_event.h; _library.py refuses a library whose own table differs.
"""

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, Dict, Mapping, Optional

from .records import (
    Field, Getter, Names, PackedRecord, named, named_or_none, number, optional, optional_text, padding,
)

# Bits of `known`.
KNOWN_CGROUP_ID = 1 << 0
KNOWN_SOCK_COOKIE = 1 << 1
KNOWN_NETNS = 1 << 2
KNOWN_UID = 1 << 3
KNOWN_SNDBUF = 1 << 4
KNOWN_SOCK = 1 << 5
KNOWN_BYTES = 1 << 6
KNOWN_JIFFIES = 1 << 7
KNOWN_STALL = 1 << 8
KNOWN_OWNER = 1 << 9
KNOWN_SHARED = 1 << 10
KNOWN_RTT = 1 << 11
KNOWN_SENT = 1 << 12
KNOWN_SEGS = 1 << 13

NET_XMIT_DROP = 1  # include/linux/netdevice.h

KINDS = Names({0: "skb", 1: "synack"})

# include/net/tcp_states.h
STATES = Names(enumerate((
    "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"), 1))


class _OrNone(Dict[int, Optional[str]]):
    """Number -> name; a number that nobody knows here means 'not known'."""

    def __missing__(self, number: int) -> None:
        return None


REASONS = _OrNone({
    0: None, 1: "rto", 2: "fast", 3: "tlp", 4: "syn", 5: "synack", 6: "loss_recovery", 7: "pmtu"})

OWNER_HOW = _OrNone({
    0: None, 1: "waiting", 2: "lock", 3: "last_user", 4: "file", 5: "close", 6: "iterator",
    7: "inherited", 8: "opener"})


class _Texts(Dict[bytes, str]):
    """Packed address -> its text. Remembers so many, since few hosts make most of the retransmits."""

    MOST = 16384

    def __init__(self, family: int) -> None:
        super().__init__()
        self._family = family

    def __missing__(self, packed: bytes) -> str:
        if len(self) >= self.MOST:
            self.clear()
        text = self[packed] = inet_ntop(self._family, packed)
        return text


class _Addresses(Dict[str, bytes]):
    """The other way round. Raises OSError where it is no address."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= _Texts.MOST:
            self.clear()
        packed = self[text] = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
        return packed


_TEXTS4, _TEXTS6, _PACKED = _Texts(AF_INET), _Texts(AF_INET6), _Addresses()


def address(doc: str, source: str) -> "Field[str]":
    """An IPv4 address (in the first four bytes) or an IPv6 one; which, ``family`` says."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        family, four, six = places["family"], slice(place, place + 4), slice(place, place + 16)
        return lambda record: (
            _TEXTS4[record[four]] if record[family] == 4 else _TEXTS6[record[six]])
    return Field("16s", "", doc, source, make_getter, json_type="string", pack=_PACKED.__getitem__)


class Event(PackedRecord):
    """One retransmitted segment, or a run of segments that the kernel sent as one.

    Immutable. Fields that this kernel could not give are None. Events compare by time first. An
    event is the bytes of its C struct, so joined ones are what read() takes; use the names.
    """

    __slots__ = ()

    ts_ns = number(
        "Q", "ns", "When, on the host's CLOCK_MONOTONIC", "bpf_ktime_get_ns()")
    known = number(
        "Q", "bits", "Which of the optional fields are known", "tcpretrans_event.h", public=False)
    cgroup_id = optional(
        "Q", KNOWN_CGROUP_ID, "inode", "The socket's cgroup v2 directory", "sock.sk_cgrp_data")
    sock_cookie = optional(
        "Q", KNOWN_SOCK_COOKIE, "", "The socket's SO_COOKIE, where somebody asked for it before",
        "sock.__sk_common.skc_cookie")
    stall_us = optional(
        "Q", KNOWN_STALL, "µs", "How long the data had been waiting since it was last sent",
        "sk_buff.skb_mstamp_ns, docs/accuracy.md")
    bytes_sent = optional(
        "Q", KNOWN_BYTES, "bytes", "What this socket has sent so far, retransmits included",
        "tcp_sock.bytes_sent")
    bytes_retrans = optional(
        "Q", KNOWN_BYTES, "bytes", "What of bytes_sent was retransmitted",
        "tcp_sock.bytes_retrans")
    bytes_acked = optional(
        "Q", KNOWN_SOCK, "bytes", "What the peer has acknowledged so far", "tcp_sock.bytes_acked")
    saddr = address("Local address", "sock.__sk_common")
    daddr = address("Remote address", "sock.__sk_common")
    ca_name = optional_text(
        16, KNOWN_SOCK, "Congestion control, such as `cubic`", "tcp_congestion_ops.name")
    owner_comm = optional_text(
        16, KNOWN_OWNER, "Name of the owner's thread, as it chose to call itself",
        "task_struct.comm")
    netns = optional(
        "I", KNOWN_NETNS, "inode", "The socket's network namespace", "net.ns.inum")
    uid = optional(
        "I", KNOWN_UID, "", "User that owns the socket, in the initial user namespace",
        "sock.sk_uid")
    owner_pid = optional(
        "I", KNOWN_OWNER, "", "Process that uses the socket, in the initial pid namespace",
        "task_struct.tgid")
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
        "I", KNOWN_SEGS, "segments", "Segments sent, as RetransSegs counts them; 0 where err is not 0",
        "tcp_sock.total_retrans")
    skipped_segs = optional(
        "I", KNOWN_SEGS, "segments", "Segments this socket sent before, for which no event came",
        "tcp_sock.total_retrans")
    total_retrans = optional(
        "I", KNOWN_SOCK, "segments", "What this socket has retransmitted so far",
        "tcp_sock.total_retrans")
    err = optional(
        "i", KNOWN_SENT, "errno", "0; where the transmission failed -errno, or 1 (`NET_XMIT_DROP`) where the local"
        " queue dropped it",
        "tcp_retransmit_skb tracepoint, Linux 6.17")
    mark = optional(
        "I", KNOWN_SOCK, "", "SO_MARK", "sock.sk_mark")
    ifindex = optional(
        "I", KNOWN_SOCK, "", "Device that the socket is bound to, 0 = none",
        "sock.__sk_common.skc_bound_dev_if")
    rto_us = optional(
        "I", KNOWN_JIFFIES, "µs", "Retransmission timeout, backoff included",
        "inet_connection_sock.icsk_rto, RFC 6298")
    srtt_us = optional(
        "I", KNOWN_RTT, "µs", "Smoothed round-trip time", "tcp_sock.srtt_us, RFC 6298")
    rttvar_us = optional(
        "I", KNOWN_RTT, "µs", "Variation of the round-trip time", "tcp_sock.mdev_us, RFC 6298")
    snd_cwnd = optional(
        "I", KNOWN_SOCK, "segments", "Congestion window", "tcp_sock.snd_cwnd, RFC 5681")
    ssthresh = optional(
        "I", KNOWN_SOCK, "segments", "Slow start threshold; 2147483647 = none yet",
        "tcp_sock.snd_ssthresh, RFC 5681")
    packets_out = optional(
        "I", KNOWN_SOCK, "segments", "In flight: sent and not acknowledged",
        "tcp_sock.packets_out")
    sacked_out = optional(
        "I", KNOWN_SOCK, "segments", "What of packets_out the peer reported by SACK",
        "tcp_sock.sacked_out, RFC 2018")
    lost_out = optional(
        "I", KNOWN_SOCK, "segments", "What of packets_out is taken for lost", "tcp_sock.lost_out")
    retrans_out = optional(
        "I", KNOWN_SOCK, "segments", "Retransmitted and not acknowledged", "tcp_sock.retrans_out")
    delivered = optional(
        "I", KNOWN_SOCK, "segments", "What the peer has received so far", "tcp_sock.delivered")
    mss = optional(
        "I", KNOWN_SOCK, "bytes", "Payload of a full segment", "tcp_sock.mss_cache")
    dsack_dups = optional(
        "I", KNOWN_BYTES, "segments", "Duplicates the peer reported: spurious retransmits so far",
        "tcp_sock.dsack_dups, RFC 2883")
    reord_seen = optional(
        "I", KNOWN_BYTES, "", "Reorderings seen so far", "tcp_sock.reord_seen")
    undo_retrans = optional(
        "I", KNOWN_SOCK, "segments", "Retransmits of this episode that may yet prove spurious",
        "tcp_sock.undo_retrans")
    sport = number(
        "H", "", "Local port", "sock.__sk_common.skc_num")
    dport = number(
        "H", "", "Remote port", "sock.__sk_common.skc_dport")
    family = number(
        "B", "", "IP version, 4 or 6; IPv4-mapped IPv6 is 4", "sock.__sk_common.skc_family")
    kind = named(
        KINDS, "Which tracepoint: `skb` (tcp_retransmit_skb) or `synack`"
        " (tcp_retransmit_synack)", "include/trace/events/tcp.h")
    state = named(
        STATES, "TCP state, such as `ESTABLISHED`", "sock.__sk_common.skc_state")
    reason = named_or_none(
        REASONS, "Why: `rto` (timer), `fast` (loss reported by ACKs), `tlp` (tail loss probe),"
        " `syn`, `synack`, `loss_recovery` (slow start after a timeout), `pmtu` (path takes smaller"
        " packets only)", "net/ipv4/tcp_output.c, tcp_timer.c")
    tcp_flags = optional(
        "B", KNOWN_SNDBUF, "bits", "FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128",
        "tcp_skb_cb.tcp_flags, RFC 9293")
    ca_state = optional(
        "B", KNOWN_SOCK, "", "Open 0, Disorder 1, CWR 2, Recovery 3, Loss 4",
        "inet_connection_sock.icsk_ca_state")
    icsk_pending = optional(
        "B", KNOWN_SOCK, "", "Timer that runs: none 0, retransmit 1, probe 3, loss probe 5,"
        " reordering 6", "inet_connection_sock.icsk_pending")
    retransmits = optional(
        "B", KNOWN_SOCK, "", "Timeouts in a row", "inet_connection_sock.icsk_retransmits")
    backoff = optional(
        "B", KNOWN_SOCK, "", "How often the timeout was doubled",
        "inet_connection_sock.icsk_backoff")
    owner_how = named_or_none(
        OWNER_HOW, "How the owner is known: it was asleep on the socket (`waiting`), inside"
        " a system call on it (`lock`), or the last seen so (`last_user`); it alone holds the socket and"
        " connected or listened (`file`) or was found (`iterator`); it closed it (`close`); it listens"
        " for the connection, not yet accepted (`inherited`); it connected or listened, and may have the"
        " socket no more (`opener`)", "tcpretrans_event.h")
    owner_shared = optional(
        "B", KNOWN_SHARED, "", "1: other live processes hold the socket too", "files_struct")
    reserved = padding(1)
    limited_segs = optional(
        "I", KNOWN_SEGS, "segments", "Segments this socket sent before, which the rate limit kept back",
        "tcp_sock.total_retrans")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Event":
        made = super().from_dict(fields)
        if made.saddr != fields["saddr"] or made.daddr != fields["daddr"]:
            raise ValueError("its addresses are not of IP version %d" % made.family)
        return made

    @property
    def failed(self) -> bool:
        """True where the transmission is known to have failed: no retransmit."""
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
