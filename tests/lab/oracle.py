"""The oracle's records, and what they say: why a segment was sent again and how long it had waited.

tests/truth/oracle.bpf.c writes them, by means that the tracer does not use.
"""
import os
import struct
import subprocess
import tempfile
from collections import defaultdict
from types import TracebackType
from typing import Dict, FrozenSet, IO, Iterator, List, NamedTuple, Optional, Tuple, Type

from .kallsyms import function_at
from .kernel import reports_failures

BINARY = os.environ.get("RETRANS_TEST_ORACLE", "")
HEAD = struct.Struct("=QQQQIIIIiHHBBBBIII")
DEPTH = 16
LAYOUT = struct.Struct(HEAD.format + "{}Q".format(DEPTH))

RETRANSMIT, ENTERED_LOSS = 0, 1
SYN_SENT, SYN_RECV = 2, 3
LOSS = 4


class Record(NamedTuple):
    """struct oracle_record, stack apart."""

    ts_ns: int
    socket: int
    sent_ns: int
    before_ns: int
    netns: int
    seq: int
    end_seq: int
    total_retrans: int
    err: int
    sport: int
    dport: int
    kind: int
    state: int
    ca_state: int
    icsk_pending: int
    stack_bytes: int
    segs: int
    reserved: int


class Truth(NamedTuple):
    """One retransmission as it really was."""

    record: Record
    reason: Optional[str]
    waited_us: Optional[float]
    stack: Tuple[int, ...]

    def path(self) -> str:
        """The call stack in names, for messages."""
        return " < ".join(function_at(address) for address in self.stack)


def called(stack: Tuple[int, ...], known: Dict[Tuple[int, ...], FrozenSet[str]] = {}) -> FrozenSet[str]:
    """Names of all functions on a stack; there are few different ones."""
    if stack not in known:
        known[stack] = frozenset(map(function_at, stack))
    return known[stack]


# A function that ends by calling the next one may be missing from the stack; its callers are not.
MTU = {"tcp_simple_retransmit", "tcp_v4_mtu_reduced", "tcp_v6_mtu_reduced"}
ICMP = {"tcp_v4_err", "tcp_v6_err"}

# What the queue is walked for when a loss was found: an ACK, reordering that took too long, room
# in the device. The end of a handshake also does it, for data that the SYN carried in vain; that is
# none of our reasons.
LOSS_FOUND = {"tcp_ack", "tcp_rack_reo_timeout", "tcp_tsq_handler", "tcp_tsq_write", "tcp_release_cb",
              "tcp_tsq_workfn", "tcp_tasklet_func"}


def is_timeout(functions: FrozenSet[str]) -> bool:
    return bool(functions & {"tcp_retransmit_timer", "tcp_ld_RTO_revert"})


def by_mtu(functions: FrozenSet[str]) -> bool:
    return not is_timeout(functions) and bool(functions & (MTU | ICMP))


def reason_of(record: Record, functions: FrozenSet[str], lost_by_mtu: bool) -> Optional[str]:
    """Why, by who called whom; in slow start also by who declared the loss before."""
    if is_timeout(functions):
        return "syn" if record.state in (SYN_SENT, SYN_RECV) else "rto"
    if "tcp_send_loss_probe" in functions:
        return "tlp"
    if by_mtu(functions):
        return "pmtu"
    if "tcp_xmit_retransmit_queue" not in functions or not functions & LOSS_FOUND:
        return None
    if record.ca_state != LOSS:
        return "fast"
    return "pmtu" if lost_by_mtu else "loss_recovery"


# Between the device taking a packet and the tracepoint at the end of the same function.
SAME_CALL_NS = 5000000


def was_sent(record: Record) -> bool:
    """Whether sent_ns is the time of this very transmission."""
    return not record.err and record.ts_ns - record.sent_ns <= SAME_CALL_NS


def covers(record: Record, seq: int) -> bool:
    return (seq - record.seq) % 2**32 < (record.end_seq - record.seq) % 2**32


def waited_us(record: Record, earlier: List[Record]) -> Optional[float]:
    """From the last sending of its first byte to this one.

    The device knows segments by where they begin. If this one went out inside another one
    meanwhile, `earlier`, what the socket sent again before, tells. Nothing is known where the
    kernel skipped the oracle in between, as total_retrans shows.
    """
    if not was_sent(record) or not record.before_ns:
        return None
    before, later = record.before_ns, record
    for other in reversed(earlier):
        if later.total_retrans - other.total_retrans > later.segs:
            return None
        if other.ts_ns <= before:
            break
        if not other.err and covers(other, record.seq):
            if not was_sent(other):
                return None
            before = other.sent_ns
            break
        later = other
    else:
        if later.total_retrans > later.segs:
            return None
    return (record.sent_ns - before) / 1000


def read(source: IO[bytes], netns: int) -> Iterator[Truth]:
    """All retransmissions of a namespace, in the order in which they happened on each socket."""
    lost_by_mtu: Dict[int, bool] = {}
    earlier: Dict[Tuple[int, int, int], List[Record]] = defaultdict(list)
    for packed in iter(lambda: source.read(LAYOUT.size), b""):
        row = LAYOUT.unpack(packed)
        record = Record(*row[:-DEPTH])
        if record.netns != netns:
            continue
        stack = row[-DEPTH:][:record.stack_bytes // 8]
        functions = called(stack)
        if record.kind == ENTERED_LOSS:
            lost_by_mtu[record.socket] = by_mtu(functions)
            continue
        before = earlier[record.socket, record.sport, record.dport]
        yield Truth(record, reason_of(record, functions, lost_by_mtu.get(record.socket, False)),
                    waited_us(record, before), stack)
        before.append(record)


class Oracle:
    """`with Oracle() as oracle:` records; truths() tells, once that has ended."""

    def __enter__(self) -> "Oracle":
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [BINARY, str(int(reports_failures()))], stdin=subprocess.PIPE, stdout=self.output,
            stderr=subprocess.PIPE, universal_newlines=True)
        assert self.process.stderr is not None
        ready = self.process.stderr.readline()
        assert ready == "ready\n", "the oracle did not start: " + ready + self.process.stderr.read()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        _, self.last_words = self.process.communicate()
        if kind:
            self.output.close()

    @property
    def missed(self) -> int:
        """How often the kernel skipped the oracle because it would have interrupted itself."""
        return int(self.last_words.split()[3])

    def truths(self, netns: int) -> List[Truth]:
        """What happened in one namespace. Everything must have been recorded."""
        assert self.process.returncode == 0, self.last_words
        assert self.last_words.startswith("lost 0 "), self.last_words
        self.output.seek(0)
        truths = list(read(self.output, netns))
        self.output.close()
        return truths
