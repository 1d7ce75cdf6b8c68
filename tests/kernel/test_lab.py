"""The lab itself: it loses packets, and whatever happens inside it, nothing of it stays."""
import os

import pytest
from lab import host, rights
from lab.counters import Counters
from lab.link import V4, V6, Lab
from lab.traffic import connected, connecting, send_bulk


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_nothing_stays_after_an_exception(kind: type) -> None:
    before = host.snapshot()
    descriptors = host.descriptors()
    with pytest.raises(kind), Lab() as lab:
        with connecting(lab.client, V4.dead), connected(lab, V6) as (client, _):
            lab.lose(lab.server, 500)
            client.send(b"x")
            raise kind("in the middle")
    assert host.left_over(before) == []
    assert not set(host.descriptors()) - set(descriptors)


def test_half_built_lab_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.snapshot()
    descriptors = host.descriptors()
    monkeypatch.setattr(Lab, "_neighbours", lambda *ignored: (_ for _ in ()).throw(OSError("half built")))
    with pytest.raises(OSError, match="half built"):
        Lab()
    assert host.left_over(before) == []
    assert not set(host.descriptors()) - set(descriptors)


LITTLE = 100000  # bytes: bursts that fit the queues of a busy machine, which may drop what does not


def lost(counters: Counters) -> int:
    """Segments sent again because the peer's answers said so. A busy machine may answer so late that
    a probe or the timer comes first, or bring segments in another order, of which the peer tells (DSACK):
    nothing was lost then."""
    gained = counters.gained()
    needless = sum(gained[name] for name in ("TCPLossProbes", "TCPTimeouts", "TCPSlowStartRetrans", "TCPDSACKRecv"))
    return max(0, gained["RetransSegs"] - needless)


def test_without_loss_nothing_is_retransmitted(lab: Lab) -> None:
    counters = Counters(lab.client)
    send_bulk(lab, V4, LITTLE)
    assert lost(counters) == 0


def test_loss_makes_the_kernel_retransmit_and_heals(lab: Lab) -> None:
    lab.lose(lab.server, 100)
    counters = Counters(lab.client)
    send_bulk(lab, V6, 4000000)
    assert counters.gained()["RetransSegs"] > 0
    lab.heal(lab.server)
    counters = Counters(lab.client)
    send_bulk(lab, V6, LITTLE)
    assert lost(counters) == 0


def test_rights_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rights.missing() is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sentence = rights.missing() or ""
    assert "need root" in sentence and "\n" not in sentence and "RETRANS_TEST_NO_BPF=1" in sentence
