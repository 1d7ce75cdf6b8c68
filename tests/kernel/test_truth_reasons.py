"""Reason and waiting time of each retransmit, beside the kernel's own call stack and network device."""
import os
from typing import List

import pytest
from lab import summary
from lab.comparison import Pair, confusion, describe, waiting_times, wrong
from lab.link import MAPPED, V4, V6
from lab.loads import Load
from lab.proof import Proof, prove
from lab.rights import FULL, TRUTH
from lab.tables import matrix, table

pytestmark = pytest.mark.truth

LOADS = [
    Load(10, flows=16),
    Load(50, flows=64),
    Load(50, flows=1),
    Load(100, flows=8, ends=V6, control="bbr"),
    Load(300, flows=64, control="reno", sack=False, offload=False),
    Load(200, flows=16, ends=V6, offload=False),
    Load(150, flows=16, control="bbr", sack=False),
    Load(30, flows=32, ends=V6, control="reno"),
    Load(100, flows=64, ends=V4, sack=False),
    Load(20, flows=4, ends=MAPPED, control="bbr", offload=False),
    Load(100, flows=32, marked=100),
]
EVENTS = 10000 if TRUTH else 2000 if FULL else 700  # of each load

# Targets for `stall_us`, by what the event says.
P50_US, P99_US = 10, 1000
ENOUGH = 100  # of fewer, a median is luck: handshakes are few but in the full form
MOST_UNKNOWN = 0.001


@pytest.fixture(scope="module")
def proofs(kernel_rights: None) -> List[Proof]:
    return [prove(load, EVENTS) for load in LOADS]


@pytest.fixture(scope="module")
def pairs(proofs: List[Proof]) -> List[Pair]:
    return [pair for proof in proofs for pair in proof.pairs]


def test_every_retransmission_is_in_both(proofs: List[Proof]) -> None:
    """But for those where the kernel skipped one of the two, which it counts."""
    for proof in proofs:
        assert proof.comparison.only_traced <= proof.oracle_missed, proof.load.name
        assert proof.comparison.only_true <= proof.tracer_missed, proof.load.name


def test_reasons_are_true(proofs: List[Proof], pairs: List[Pair]) -> None:
    counts = confusion(pairs)
    summary.say("reasons, {} events, Linux {}:".format(len(pairs), os.uname().release))
    for line in matrix(counts):
        summary.say(line)

    assert len(pairs) >= 9 * len(LOADS) * EVENTS // 10
    assert {true for true, _ in counts} == {"syn", "rto", "tlp", "fast", "loss_recovery"}
    assert [proof.load.name + ": " + describe(pair)
            for proof in proofs for pair in wrong(proof.pairs)] == []
    unknown = sum(pair.event.reason is None for pair in pairs)
    assert unknown <= MOST_UNKNOWN * len(pairs)


def test_waiting_times_are_true(pairs: List[Pair]) -> None:
    rows = waiting_times(pairs)
    for line in table(["reason", "events", "stall_us known", "error p50 µs", "p99 µs", "worst µs"],
                      [[row.reason, row.known, "{:.1%}".format(row.covered / row.known)] +
                       ["{:.1f}".format(us) for us in (row.p50_us, row.p99_us, row.worst_us)]
                       for row in rows]):
        summary.say(line)

    covered = {row.reason: row.covered / row.known for row in rows}
    assert covered["rto"] > 0.99 and covered["syn"] > 0.99
    assert covered["fast"] > 0.8 and covered["loss_recovery"] > 0.7 and covered["tlp"] > 0.3
    for row in (row for row in rows if row.covered):
        assert row.p99_us <= P99_US, row
        assert row.p50_us <= P50_US or row.covered < ENOUGH, row
