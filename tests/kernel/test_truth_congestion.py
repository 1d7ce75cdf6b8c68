"""Congestion control and timers of an event, beside what the socket itself tells (TCP_INFO)."""
import socket
import time
from typing import Any, Dict, Tuple

import pytest
from lab.link import V4, V6, Ends, Lab
from lab.seen import Seen
from lab.tcp_info import congestion_control, tcp_info
from lab.traffic import connected

pytestmark = pytest.mark.truth

# Field of the event -> field of TCP_INFO; what a timeout changes after its event is not here.
SAME = {
    "srtt_us": "rtt", "rttvar_us": "rttvar", "snd_cwnd": "snd_cwnd", "ssthresh": "snd_ssthresh",
    "mss": "snd_mss", "packets_out": "unacked", "sacked_out": "sacked", "lost_out": "lost",
    "total_retrans": "total_retrans", "ca_state": "ca_state", "retransmits": "retransmits",
    "bytes_sent": "bytes_sent", "bytes_retrans": "bytes_retrans", "bytes_acked": "bytes_acked",
    "delivered": "delivered", "dsack_dups": "dsack_dups", "reord_seen": "reord_seen",
}


def after_timeouts(lab: Lab, seen: Seen, flow: socket.socket, timeouts: int) -> Tuple[Any, Dict[str, int]]:
    """The last event of a flow that gets no answer, and what the socket tells before the next one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        info = tcp_info(flow)
        events = seen.of(lab.client)
        if events and events[-1].backoff >= timeouts and events[-1].total_retrans == info["total_retrans"]:
            return events[-1], info
    raise AssertionError("waited in vain for {} timeouts".format(timeouts))


@pytest.mark.parametrize("control", ["cubic", "reno", "bbr"])
@pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])
def test_fields_are_those_of_the_socket(lab: Lab, seen: Seen, ends: Ends, control: str) -> None:
    with connected(lab, ends) as (client, _):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
        lab.lose(lab.server, 100)
        client.sendall(bytes(40000))
        lab.drop(lab.server, "meta l4proto tcp")
        client.sendall(bytes(20000))
        event, info = after_timeouts(lab, seen, client, 2)
        name = congestion_control(client)

    assert event.reason == "rto"
    assert {ours: getattr(event, ours) for ours in SAME} == {ours: info[theirs] for ours, theirs in SAME.items()}
    assert event.ca_name == name == control
    # The timeout is doubled, and the segment counted as retransmitted, just after the event.
    assert event.backoff + 1 == info["backoff"]
    assert event.rto_us * 2 == info["rto"]
    assert event.retrans_out + event.segs == info["retrans"]
