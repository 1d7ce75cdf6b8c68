"""The matrix notices what must not be: a good trial passes, and each way of spoiling it is named."""
import copy
from typing import Any, Callable, Dict, List

import pytest

from . import expected

OFFERS = dict.fromkeys(("synack", "congestion", "states", "ring", "storage", "file_socket",
                        "file_iterator", "error"), True)


def good() -> Dict[str, Any]:
    """A trial of tp_btf in which everything holds."""
    fields = expected.COUNTED | expected.SOCKET | expected.ROUND_TRIP | {"stall_us", "owner_pid"}
    known: Dict[str, Any] = {kind: {name: [number, number] for name in fields}
                             for kind, number in (("syn", 3), ("synack", 4), ("data", 50))}
    known["synack"]["stall_us"] = [0, 4]
    row = {"kernel": 60, "exact": True}
    return {
        "attach": "tp_btf", "buffer": "ring", "btf": "kernel", "traffic": True, "refused": None,
        "left": [], "implausible": [],
        "events": {"syn": 3, "synack": 4, "data": 50}, "failed": {"-1": 2}, "unanswered": 3,
        "true_unanswered": 3, "true_synacks": 4, "true_segs": {"client": 60, "server": 60}, "known": known,
        "ledger": {"client": dict(row), "server": dict(row)}, "owners": {"right": 50},
        "stats": {"missed": 0, "lost": 0},
        "capabilities": {"attach": "tp_btf", "buffer": "ring", "ledger": True, "failed": True,
                         "synack": True, "missing": []},
    }


def spoiled(*path: Any) -> Callable[[Dict[str, Any]], None]:
    """Puts the last of `path` where the others lead."""
    *way, last, value = path

    def spoil(trial: Dict[str, Any]) -> None:
        place = trial
        for step in way:
            place = place[step]
        place[last] = value

    return spoil


SPOILED = {
    "broken: Traceback": spoiled("broken", "Traceback"),
    "refused: no": spoiled("refused", "no"),
    "left behind": spoiled("left", ["BPF program 7"]),
    "mss of": spoiled("implausible", ["mss of a data event is 0"]),
    "attached by": spoiled("capabilities", "attach", "raw_tp"),
    "2 SYN events, 3 in truth": spoiled("unanswered", 2),
    "5 SYN-ACK events, 4 in truth": spoiled("events", "synack", 5),
    "events about data": spoiled("events", "data", 3),
    "events lost": spoiled("stats", "lost", 1),
    "says ledger": spoiled("capabilities", "ledger", False),
    "not about 61 segments": spoiled("true_segs", "client", 61),
    "is not exact": spoiled("ledger", "server", "exact", False),
    "owners: ": spoiled("owners", "wrong", 1),
    "too few owners": spoiled("owners", "unknown", 20),
    "mss is known in 49 of 50": spoiled("known", "data", "mss", [49, 50]),
    "is said to be missing": spoiled("capabilities", "missing", ["stall_us"]),
    "stall_us is known in 2 of 3 syn": spoiled("known", "syn", "stall_us", [2, 3]),
    "stall_us is known in 9 of 50 data": spoiled("known", "data", "stall_us", [9, 50]),
}


def test_a_good_trial_has_no_problems() -> None:
    assert expected.problems(good(), OFFERS) == []


@pytest.mark.parametrize("words", SPOILED)
def test_what_is_wrong_is_named(words: str) -> None:
    trial = copy.deepcopy(good())
    SPOILED[words](trial)
    problems: List[str] = expected.problems(trial, OFFERS)
    assert problems and all(words in problem for problem in problems), problems


def test_less_is_known_where_the_kernel_tells_less() -> None:
    trial = good()
    trial["known"]["data"].update(stall_us=[0, 50], reason=[40, 50])
    trial["known"]["syn"]["stall_us"] = [0, 3]
    assert expected.problems(trial, dict(OFFERS, congestion=False)) == []
    assert len(expected.problems(trial, OFFERS)) == 3


def test_reasons_may_be_unknown_where_a_program_was_skipped() -> None:
    for missed, known, wrong in ((0, 50, 0), (0, 49, 1), (1, 49, 0), (1, 40, 1)):
        trial = good()
        trial["known"]["data"]["reason"] = [known, 50]
        trial["stats"]["missed"] = missed
        assert len(expected.known(trial, OFFERS)) == wrong


def test_a_kprobe_may_see_attempts_that_fail_but_not_too_few() -> None:
    for number, wrong in ((5, 0), (3, 0), (2, 1)):
        assert len(expected.seen(dict(good(), attach="kprobe", unanswered=number), OFFERS)) == wrong
    assert len(expected.seen(dict(good(), unanswered=5), OFFERS)) == 1


def test_what_the_kernel_does_not_offer_must_be_unknown() -> None:
    trial = good()
    assert len(expected.problems(trial, dict(OFFERS, error=False))) == 2


@pytest.mark.parametrize("attach, btf, works", [
    ("tp_btf", "hidden", False), ("tp_btf", "file", False), ("raw_tp", "hidden", False), ("raw_tp", "file", True),
    ("tp", "hidden", True), ("kprobe", "hidden", False), ("auto", "hidden", True), ("auto", "file", True)])
def test_what_can_work_without_btf(attach: str, btf: str, works: bool) -> None:
    trial = {"attach": attach, "buffer": "perf", "btf": btf}
    assert expected.possible(trial, OFFERS) == works


def test_a_refusal_says_what_is_missing() -> None:
    trial = {"attach": "raw_tp", "buffer": "ring", "btf": "hidden", "traffic": False, "left": []}
    assert expected.problems(dict(trial, refused="UnsupportedKernel: no BTF here; use --btf"), OFFERS) == []
    assert expected.problems(dict(trial, refused="UnsupportedKernel: invalid argument"), OFFERS)
    assert expected.problems(dict(trial, refused="BTF is missing\nand more"), OFFERS)
