"""The cache in front of slow lookups: bounded, in step, and never in the way."""
import threading
from typing import Any, Dict, List, Set

from fake_library import event
from made_up_host import CGROUP2, MadeUpHost, now_ns, owned, ticks_ago
from retrans_ctypes.workload import UNKNOWN, Lookups, enrich
from retrans_ctypes.workload import finder as finders
from retrans_ctypes.workload.finder import Finder, Patience

PATIENT = 10.0


def doubled(keys: Set[int]) -> Dict[int, int]:
    return {key: 2 * key for key in keys if key % 2 == 0}


def test_found_and_not_found() -> None:
    finder = Finder(doubled, Patience(PATIENT, 1.0))
    assert [finder.get(key, 0) for key in (2, 3, 2)] == [4, None, 4]
    finder.close()


def test_65536_keys_stay_bounded() -> None:
    finder = Finder(doubled, Patience(), size=256)
    for key in range(65536):
        finder.get(key, 0)
        assert len(finder) <= 256
    finder._patience = Patience(PATIENT, 1.0)
    with finder._changed:
        finder._changed.wait_for(lambda: not finder._wanted, 30)
    assert finder.get(65534, 0) == 131068
    finder.close()


def test_65536_events_of_65536_sockets_stay_bounded(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    with host.lookups(size=128, patience=Patience()) as lookups:
        for number in range(65536):
            lookups.workload(owned(number, ts_ns=0, cgroup_id=number, netns=number, uid=number))
        assert all(len(finder) <= 128 for finder in lookups._finders)


def test_the_least_used_is_forgotten_first() -> None:
    asked: List[int] = []

    def find(keys: Set[int]) -> Dict[int, int]:
        asked.extend(keys)
        return doubled(keys)
    finder = Finder(find, Patience(PATIENT, 1.0), size=2)
    for key in (2, 4, 2, 6, 2, 4):
        finder.get(key, 0)
    assert asked == [2, 4, 6, 4]
    finder.close()


def test_a_source_that_hangs_holds_nobody_up() -> None:
    """Unknown at first; known once the source has answered."""
    go, answered = threading.Event(), threading.Event()

    def find(keys: Set[int]) -> Dict[int, int]:
        go.wait(30)
        answered.set()
        return doubled(keys)
    finder = Finder(find, Patience(most=0.01, share=0.0))
    assert [finder.get(key, 0) for key in range(0, 2000, 2)] == [None] * 1000
    go.set()
    answered.wait(30)
    with finder._changed:
        finder._changed.wait_for(lambda: len(finder) == 1000, 30)
    assert finder.get(1998, 0) == 3996
    finder.close()


def test_no_more_keys_wait_than_are_remembered() -> None:
    hang = threading.Event()

    def find(keys: Set[int]) -> Dict[int, int]:
        hang.wait(30)
        return {}
    finder = Finder(find, Patience(0, 0), size=10)
    for key in range(65536):
        finder.get(key, 0)
    assert len(finder._wanted) <= 10
    finder.close()
    hang.set()


def test_what_was_not_found_is_looked_for_again(monkeypatch: Any) -> None:
    there: Dict[int, int] = {}
    finder = Finder(lambda keys: dict(there), Patience(PATIENT, 1.0))
    assert finder.get(1, 0) is None
    there[1] = 5
    assert finder.get(1, 0) is None, "not at once"
    finder.close()
    monkeypatch.setattr(finders, "RETRY", -1.0)
    finder = Finder(lambda keys: dict(there), Patience(PATIENT, 1.0))
    there.clear()
    assert finder.get(1, 0) is None
    there[1] = 5
    assert finder.get(1, 0) == 5
    finder.close()


def test_an_old_answer_serves_until_there_is_a_new_one() -> None:
    answers = [1, 2]
    finder = Finder(lambda keys: {0: answers.pop(0)}, Patience(PATIENT, 1.0), fresh=-1.0)
    assert finder.get(0, 0) == 1
    assert finder.get(0, 0) == 1
    with finder._changed:
        finder._changed.wait_for(lambda: not answers, 30)
        finder._changed.wait_for(lambda: not finder._wanted, 30)
    finder.close()
    assert finder.get(0, 0) == 2


def test_an_answer_is_checked_for_younger_events_only() -> None:
    checks: List[int] = []

    def still(key: int, value: int) -> bool:
        checks.append(key)
        return True
    finder = Finder(doubled, Patience(PATIENT, 1.0), still=still)
    ts_ns = now_ns()
    for _ in range(1000):
        assert finder.get(2, ts_ns) == 4
    assert checks == []
    later = now_ns()
    for _ in range(1000):
        assert finder.get(2, later) == 4
    assert checks == [2]
    finder.close()


def test_a_source_that_fails_is_asked_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(finders, "RETRY", -1.0)
    failures = [OSError("gone"), None]

    def find(keys: Set[int]) -> Dict[int, int]:
        failure = failures.pop(0)
        if failure:
            raise failure
        return doubled(keys)
    finder = Finder(find, Patience(PATIENT, 1.0))
    assert [finder.get(2, 0), finder.get(2, 0)] == [None, 4]
    finder.close()


def test_the_source_is_not_asked_all_the_time(monkeypatch: Any) -> None:
    """A look that took a second is followed by nine seconds of rest, a short one by none."""
    rests: List[float] = []
    now = [0.0]

    def find(keys: Set[int]) -> Dict[int, int]:
        now[0] += 1.0 if keys == {2} else 0.0
        return doubled(keys)
    monkeypatch.setattr(finders.time, "monotonic", lambda: now[0])
    finder = Finder(find, Patience(PATIENT, 1.0))
    waited = finder._changed.wait_for

    def wait_for(done: Any, seconds: Any = None) -> Any:
        if threading.current_thread() is not threading.main_thread() and seconds is not None:
            rests.append(seconds)
            seconds = 0
        return waited(done, seconds)
    monkeypatch.setattr(finder._changed, "wait_for", wait_for)
    assert [finder.get(key, 0) for key in (4, 2, 6)] == [8, 4, 12]
    finder.close()
    assert finder._thread is not None
    assert finder._thread.ends_within(30)
    assert rests == [9.0]


def test_no_more_threads(monkeypatch: Any) -> None:
    def start(*_: Any) -> None:
        raise RuntimeError("can't start new thread")
    finder = Finder(doubled, Patience(PATIENT, 1.0))
    with monkeypatch.context() as without:
        without.setattr("_thread.start_new_thread", start)
        assert finder.get(2, 0) is None
    assert finder.get(2, 0) == 4
    finder.close()


def test_closed() -> None:
    finder = Finder(doubled, Patience(PATIENT, 1.0))
    finder.get(2, 0)
    finder.close()
    assert finder._thread is not None
    assert finder._thread.ends_within(30)
    assert (finder.get(2, 0), finder.get(4, 0)) == (4, None)


def test_patience_is_used_up_and_comes_back(monkeypatch: Any) -> None:
    now = [100.0]
    monkeypatch.setattr(finders.time, "monotonic", lambda: now[0])
    patience = Patience(most=0.02, share=0.01)
    assert patience.left() == 0.02
    patience.spend(0.05)
    assert patience.left() < 0
    now[0] += 4
    assert 0.009 < patience.left() < 0.011
    now[0] += 1000
    assert patience.left() == 0.02


def test_only_what_is_wanted_is_looked_for(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    host.process(7, start=ticks_ago(10))
    with host.lookups(names=("user",)) as lookups:
        workload = lookups.workload(owned(7, uid=0, cgroup_id=host.cgroup("a.scope"), netns=5))
        assert workload.user == "root" and [value for value in workload if value] == ["root"]
        assert sum(finder._thread is not None for finder in lookups._finders) == 1
    with Lookups(names=()) as lookups:
        assert enrich(event(), lookups).workload is UNKNOWN
