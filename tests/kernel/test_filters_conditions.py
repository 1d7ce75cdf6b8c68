"""Each condition of a filter, and its opposite, against a tracer without one and against the judgement of
recorded events; and the books of both."""
import os
from contextlib import ExitStack
from ctypes import c_size_t, c_uint32, c_uint64, pointer, sizeof
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import pytest
from lab import summary
from lab.books import ended, inhabited, row_of
from lab.cgroups import v2_tree
from lab.link import DEAD4, DEAD6, Lab
from lab.mixture import BASE, UID, Mixture, told
from lab.seen import segments
from lab.ways import Way, tracing
from retrans_ctypes import Filter, FilterError, Tracer, UnsupportedKernel, _library
from retrans_ctypes._abi import NativeConditions
from retrans_ctypes.filter_match import RecordedFilter
from retrans_ctypes.workload import UNKNOWN, Workload
from retrans_ctypes.workload.cgroups import find_paths

SIZE_MAX = c_size_t(-1).value


class Case(NamedTuple):
    name: str
    conditions: Callable[[Mixture], Dict[str, Any]]
    holds: Callable[[Mixture, Any], bool]


FROM_TUPLE = [
    Case("ports", lambda made: {"ports": [BASE, made.data]}, lambda made, event: event.dport in (BASE, made.data)),
    Case("local-port", lambda made: {"local_ports": made.shut}, lambda made, event: event.sport == made.shut),
    Case("remote-ports", lambda made: {"remote_ports": "{}-{}".format(BASE + 1, BASE + 2)},
         lambda made, event: event.dport in (BASE + 1, BASE + 2)),
    Case("either-port", lambda made: {"ports": made.shut}, lambda made, event: made.shut in (event.sport, event.dport)),
    Case("remote", lambda made: {"remote": [DEAD4, "fd77::40/122"]}, lambda made, event: event.daddr in (DEAD4, DEAD6)),
    Case("remote-v6", lambda made: {"remote": "fd00::/8"}, lambda made, event: event.family == 6),
    Case("local", lambda made: {"local": "10.77.0.2"}, lambda made, event: event.kind == "synack"),
    Case("address", lambda made: {"address": "::ffff:10.77.0.2/127"},
         lambda made, event: {event.saddr, event.daddr} & {"10.77.0.2", "10.77.0.3"} != set()),
    Case("family", lambda made: {"family": 6}, lambda made, event: event.family == 6),
    Case("state", lambda made: {"state": "ESTABLISHED"}, lambda made, event: event.state == "ESTABLISHED"),
    Case("state-synack", lambda made: {"state": "NEW_SYN_RECV"}, lambda made, event: event.kind == "synack"),
    Case("handshakes", lambda made: {"reason": "syn,synack"}, lambda made, event: event.reason in ("syn", "synack")),
]
FROM_SOCKET = [
    Case("netns", lambda made: {"netns": [made.lab.server.inode, 1]}, lambda made, event: event.kind == "synack"),
    Case("uid", lambda made: {"uid": UID}, lambda made, event: event.dport == BASE + 2),
    Case("cgroup", lambda made: {"cgroup": os.stat(made.inner).st_ino}, lambda made, event: event.dport == BASE + 3),
    Case("cgroup-above", lambda made: {"cgroup": made.outer}, lambda made, event: event.dport == BASE + 3),
    Case("cgroup-top", lambda made: {"cgroup": "/"}, lambda made, event: True),
    Case("reason", lambda made: {"reason": ["rto", "tlp"]}, lambda made, event: event.reason in ("rto", "tlp")),
    Case("stall", lambda made: {"min_stall_ms": 600}, lambda made, event: (event.stall_us or 0) >= 600000),
    Case("together", lambda made: {"family": 4, "reason": "syn", "uid": 0, "never": Filter(ports=BASE + 3, netns=1)},
         lambda made, event: event.family == 4 and event.reason == "syn" and event.uid == 0 and event.dport != BASE + 3),
    Case("knocker", lambda made: {"pid": made.knocking}, lambda made, event: event.dport == BASE + 3),
]
CASES = {"tuple": FROM_TUPLE, "socket": FROM_SOCKET}


def filters_of(case: Case, made: Mixture, every: Dict[str, Any], kind: Any = Filter) -> List[Any]:
    """The one that lets such events through, and the one that lets all others through."""
    conditions = case.conditions(made)
    filters = [kind(**dict(every, **conditions))]
    return filters if "never" in conditions else filters + [kind(never=kind(**conditions), **every)]


def check_books(tracer: Any, made: Mixture, events: List[Any], total: int) -> int:
    """What is not shown is counted as filtered, to the segment, but for what is returned: segments that were lost
    or that nothing explains, since the kernel skipped a program, or both that see each segment."""
    rows = [row for row in (row_of(tracer.ledger(), made.lab.client), row_of(tracer.ledger(), made.lab.server)) if row]
    missing = sum(row.lost + row.unexplained for row in rows)
    assert sum(row.kernel for row in rows) == total
    assert sum(row.delivered for row in rows) == segments(events)
    assert sum(row.filtered for row in rows) == total - segments(events) - missing
    skipped = sum(int(row.lost) + abs(row.unexplained) for row in rows)
    assert skipped or all(row.exact for row in rows), rows
    return skipped


@pytest.mark.parametrize("part", list(CASES))
@pytest.mark.parametrize("way", [Way("tp_btf", "ring"), Way("raw_tp", "perf")], ids=lambda way: way.name)
def test_conditions(lab: Lab, nothing_left_behind: None, way: Way, part: str) -> None:
    compare(lab, way, CASES[part], lambda made: {"netns": [lab.client.inode, lab.server.inode]})


@pytest.mark.parametrize("buffer", ["ring", pytest.param("perf", marks=pytest.mark.full)])
def test_conditions_of_records(lab: Lab, nothing_left_behind: None, buffer: str) -> None:
    """Tracefs tells of tuples and of who opened; there are no books."""
    compare(lab, Way("tp", buffer), FROM_TUPLE + FROM_SOCKET[-1:], lambda made: {"ports": sorted(made.ports)})


def compare(lab: Lab, way: Way, cases: List[Case], always: Callable[[Mixture], Dict[str, Any]]) -> None:
    """`always`: what keeps the rest of a busy host away, which would fill the buffers.

    Two tracers can be compared where both saw everything. Where the kernel called one of them less often than it
    sent something again, which their books tell, another run is made.
    """
    for _ in range(3):
        lost = compare_once(lab, way, cases, always)
        if not lost:
            return
        summary.say("filters by {}: compared again, as the kernel had skipped {} segments".format(way.name, lost))
    pytest.fail("In each of three runs the kernel skipped programs of some tracer.")


def compare_once(lab: Lab, way: Way, cases: List[Case], always: Callable[[Mixture], Dict[str, Any]]) -> int:
    """How many segments were lost; then nothing was compared but each one's books."""
    with ExitStack() as stack:
        stack.enter_context(inhabited(lab))
        made = Mixture(lab, stack)
        every = always(made)
        judged = [(case, positive, stack.enter_context(tracing(way, filter=chosen)))
                  for case in cases
                  for positive, chosen in zip((True, False), filters_of(case, made, every))]
        reference = stack.enter_context(tracing(way, filter=Filter(**every)))
        made.run()
        all_events = made.mine(ended(reference))
        seen = [(case, positive, made.mine(ended(tracer))) for case, positive, tracer in judged]
        if way.attach != "tp":
            total = sum(made.gained.values())
            lost = check_books(reference, made, all_events, total) + sum(
                check_books(tracer, made, events, total) for (_, _, events), (_, _, tracer) in zip(seen, judged))
            if lost:
                return lost
        names = recorded_names(all_events)
        for case, positive, events in seen:
            expected = [event for event in all_events if case.holds(made, event) == positive]
            assert told(events) == told(expected), (case.name, positive)
            again = filters_of(case, made, every, RecordedFilter)[not positive].matcher()
            assert [event for event in all_events if again(event, names[event.cgroup_id])] == expected, (case.name, positive)
            assert case.name == "cgroup-top" or 0 < len(expected) < len(all_events), (case.name, positive)
        return 0


def recorded_names(events: List[Any]) -> Dict[Optional[int], Workload]:
    """By cgroup; paths are the sockets', as where there is cgroup v2 only."""
    paths = find_paths(v2_tree(), {event.cgroup_id for event in events} - {None})
    found: Dict[Optional[int], Workload] = {None: UNKNOWN}
    found.update((number, Workload((path,) + UNKNOWN[1:])) for number, path in paths.items())
    return found


@pytest.mark.parametrize("condition, word", [
    ({"netns": 1}, "netns"), ({"uid": 0}, "uid"), ({"cgroup": 1}, "cgroup"), ({"min_stall_ms": 1}, "stall"),
    ({"reason": "rto"}, "reasons other than syn")])
def test_what_a_record_cannot_tell_is_refused(nothing_left_behind: None, condition: Dict[str, Any], word: str) -> None:
    for chosen in (Filter(**condition), Filter(never=Filter(**condition))):
        with pytest.raises(UnsupportedKernel) as caught:
            with tracing(Way("tp", "ring"), filter=chosen):
                pass
        assert "by " + word in str(caught.value) and "attached by tp" in str(caught.value)
        with tracing(Way("tp", "ring"), filter=Filter(ports=1)) as tracer:
            with pytest.raises(UnsupportedKernel):
                tracer.set_filter(chosen)


def test_a_process_cannot_be_asked_for_without_owners(nothing_left_behind: None) -> None:
    with pytest.raises(ValueError, match="by pid while owners are not looked for"):
        Tracer(filter=Filter(pid=1), owners=False)


@pytest.mark.parametrize("wrong, words", [
    ({"n_pids": 1}, "1 members of pids, but no list"), ({"n_ports": 1}, "1 members of ports, but no list"),
    ({"n_remote": 3}, "3 members of remote, but no list"),
    ({"uids": pointer(c_uint32()), "n_uids": SIZE_MAX, "cgroups": pointer(c_uint64()), "n_cgroups": 2}, "65536 are the most"),
])
def test_lists_that_cannot_be(nothing_left_behind: None, monkeypatch: Any, wrong: Dict[str, Any], words: str) -> None:
    with Tracer() as tracer:
        monkeypatch.setattr(_library, "_conditions", lambda _: NativeConditions(size=sizeof(NativeConditions), **wrong))
        for refused in (lambda: Tracer(filter=Filter(ports=1)), lambda: tracer.set_filter(Filter(ports=1))):
            with pytest.raises(ValueError, match=words):
                refused()


def test_a_cgroup_of_v1_is_refused() -> None:
    from lab.cgroups import v1_controller

    folder = v1_controller()
    if not folder:
        pytest.skip("this machine has no cgroups of v1")
    with pytest.raises(FilterError, match="cgroup of v2 only"):
        Filter(cgroup=folder)
