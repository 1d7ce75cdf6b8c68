"""What doctor makes of the facts: the verdict, the screen and the JSON."""
import json
from typing import Any, List, Optional

import pytest
from lab import tried
from fake_library import FakeLibrary
from made_up_host import V1, MadeUpHost
from retrans_ctypes import Tracer
from retrans_ctypes.capabilities import CAN, Capabilities, capabilities
from retrans_ctypes.cli.doctor import screen
from retrans_ctypes.doctor import EXIT_CODES, Report, examine, report
from retrans_ctypes.doctor.attempts import Attempt, Attempts
from retrans_ctypes.doctor.guards import Guards
from retrans_ctypes.doctor.kernel import Btf, Settings
from retrans_ctypes.doctor.library import Library
from retrans_ctypes.doctor.rights import Rights
from retrans_ctypes.doctor.screen import rows
from retrans_ctypes.doctor.surroundings import Cgroups, Surroundings
from retrans_ctypes.doctor.verdict import Facts, Verdict, lost, verdict

ALL = (1 << len(CAN)) - 1
EVERY_FIELD = (1 << 64) - 1
HELD = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE")
REFUSED = Attempt(None, "this kernel will not; take another")


def able(attach: int = 1, can: int = ALL, known: int = EVERY_FIELD, notes: str = "") -> Attempt:
    return Attempt(capabilities(attach, 1, can, known, notes), None)


def without(*names: str) -> int:
    return ALL & ~sum(1 << CAN.index(name) for name in names)


def tries(chosen: Attempt, **attach: Attempt) -> Attempts:
    ways = {"tp_btf": REFUSED, "raw_tp": REFUSED, "tp": REFUSED, "kprobe": REFUSED}
    ways.update(attach)
    return Attempts(chosen, ways, {"ring": chosen, "perf": REFUSED})


def rights(*missing: str) -> Rights:
    return Rights(0, tuple(name for name in HELD if name not in missing), missing, (), False, "none")


GOOD = Facts(
    library=Library("/lib.so", "0.1.0 abi 2", None, "x86_64", 1, "ab" * 32, False), attempts=tries(able(), tp_btf=able()),
    btf=Btf("/sys/kernel/btf/vmlinux", False, 1, None), rights=rights(),
    surroundings=Surroundings(None, (), None, True, None, 90, 0), cgroups=Cgroups("v2", "socket"))


def judged(**changes: Any) -> Verdict:
    return verdict(GOOD._replace(**changes))


def test_full() -> None:
    assert judged() == ("full", (), ()) and judged().exit_code == 0
    assert EXIT_CODES == {"full": 0, "degraded": 1, "impossible": 2}


def test_failed_attempts_unseen_are_no_loss() -> None:
    """No kernel before 6.17 tells of them; all that was sent is told."""
    found = judged(attempts=tries(able(can=without("failed"), notes="failed: not before Linux 6.17")))
    assert found == ("full", (), ("not before Linux 6.17",))
    assert len(judged(attempts=tries(able(can=without("failed")))).notes) == 1


@pytest.mark.parametrize("layout, told_by, level", [
    ("v1", "owner", "full"), ("hybrid", "owner", "full"), ("none", None, "full"), ("v2", None, "degraded"), ("v1", None, "degraded"),
])
def test_cgroups(layout: str, told_by: Optional[str], level: str) -> None:
    found = judged(cgroups=Cgroups(layout, told_by))
    assert found.level == level and len(found.notes) == (told_by == "owner")
    assert level == "full" or "--cgroupns=host" in found.lacks[0].better


@pytest.mark.parametrize("name", [name for name in CAN if name != "failed"])
def test_every_ability_that_is_lost_counts(name: str) -> None:
    found = judged(attempts=tries(able(can=without(name))))
    assert found.level == "degraded" and found.exit_code == 1
    assert found.lacks == (("not told here: " + name, "a newer kernel"),)


@pytest.mark.parametrize("can, better", [
    (ALL, "a container with --pid=host"),
    (without("inherit"), "a newer kernel, and a container with --pid=host"),
])
def test_open_files_outside_a_pid_namespace(can: int, better: str) -> None:
    """No kernel shows them to a tracer in there."""
    inside = GOOD.surroundings._replace(namespaces=("pid",)) if GOOD.surroundings else None
    found = judged(surroundings=inside, attempts=tries(able(can=can, notes="holders: not from in here")))
    assert "holders in part" in found.lacks[0].what
    assert found.lacks[0].better == better


def test_lost_fields_count() -> None:
    from retrans_ctypes import Event

    field = next(field for field in Event.FIELDS if field.name == "stall_us")
    found = judged(attempts=tries(able(known=EVERY_FIELD & ~field.bit)))
    assert found.lacks[0].what == "not told here: stall_us"


def test_without_btf() -> None:
    missing = Btf("/sys/kernel/btf/vmlinux", False, None, "no such file or directory")
    found = judged(btf=missing, attempts=tries(able(3, can=0, known=0), tp=able(3)))
    assert found.level == "degraded" and "--btf" in found.lacks[0].better
    assert "ledger, reason, synack" in found.lacks[0].what and "fields of events" in found.lacks[0].what


def test_only_what_nobody_takes_by_default_works() -> None:
    found = judged(attempts=tries(REFUSED, kprobe=able(4)))
    assert found.level == "degraded"
    assert found.lacks[0] == (REFUSED.refusal, "start it with --attach kprobe")


def test_a_btf_file_that_is_of_no_use() -> None:
    given = Btf("/etc/passwd", True, 9, "is not BTF")
    found = judged(attempts=tries(REFUSED, tp_btf=able()), btf=given)
    assert found.lacks[0].better == "start it with --attach tp_btf, without --btf"


@pytest.mark.parametrize("changes, words", [
    ({"rights": rights("CAP_SYS_ADMIN")}, ["ledger", "CAP_SYS_ADMIN"]),
    ({"rights": rights("CAP_SYS_PTRACE"), "surroundings": Surroundings(None, (), None, True, None, 90, 80)},
     ["80 of 90", "CAP_SYS_PTRACE"]),
    ({"surroundings": Surroundings("docker", ("pid",), None, False, None, 3, 0)}, ["command line", "--pid=host"]),
    ({"surroundings": Surroundings(None, (), None, True, "no such file", 9, 0)}, ["no such file", "hidepid"]),
])
def test_what_cannot_be_named(changes: Any, words: List[str]) -> None:
    found = judged(**changes)
    assert found.level == "degraded" and len(found.lacks) == 1
    assert all(word in str(found.lacks[0]) for word in words)


@pytest.mark.parametrize("changes", [
    {"surroundings": Surroundings(None, (), None, True, None, 90, 1)},  # closed for a reason that no right changes
    {"rights": None}, {"surroundings": None}, {"cgroups": None}, {"btf": None}, {"library": None},
    {"rights": Rights(0, None, None, (), None, None)},
])
def test_what_is_not_known_is_no_loss(changes: Any) -> None:
    assert judged(**changes).level == "full"


def test_impossible() -> None:
    found = judged(attempts=tries(REFUSED))
    assert (found.level, found.exit_code) == ("impossible", 2)
    assert found.lacks == ((REFUSED.refusal, ""),) and str(found.lacks[0]) == REFUSED.refusal


def test_impossible_without_the_library() -> None:
    assert GOOD.library is not None
    found = judged(attempts=tries(REFUSED), library=GOOD.library._replace(problem="it is cut short"))
    assert found.lacks[0].what == "it is cut short"


@pytest.mark.parametrize("problem, fapolicyd, better", [
    ("/lib.so cannot be read (Operation not permitted)", "running", "fapolicyd-cli --file add /lib.so"),
    ("/lib.so cannot be read (Operation not permitted)", None, ""), ("it is cut short", "running", ""),
])
def test_a_library_that_is_not_trusted(problem: str, fapolicyd: Optional[str], better: str) -> None:
    assert GOOD.library is not None
    found = judged(attempts=tries(REFUSED), library=GOOD.library._replace(problem=problem), guards=Guards(None, fapolicyd))
    assert found.lacks[0].what == problem and better in found.lacks[0].better and bool(better) == bool(found.lacks[0].better)


@pytest.mark.parametrize("lockdown, word", [("confidentiality", "locked down"), ("integrity", REFUSED.refusal), (None, REFUSED.refusal)])
def test_impossible_in_a_kernel_locked_down(lockdown: Optional[str], word: str) -> None:
    found = judged(attempts=tries(REFUSED), settings=Settings(lockdown, 2, 2, 0))
    assert found.level == "impossible" and word in found.lacks[0].what


def test_impossible_where_nothing_could_be_tried() -> None:
    assert judged(attempts=None).level == "impossible"


def test_what_is_lost() -> None:
    assert lost(REFUSED) == lost(able()) == lost(able(can=without("failed"))) == ""
    assert lost(able(can=without("ledger", "cookie"))) == "ledger, cookie"
    some = able(can=without("ledger"), notes="tp_btf: no\nring: no\nledger: none\nstall_us: not always\nfailed: no\nodd")
    assert lost(some) == "ledger, stall_us in part"
    fields = "a", "b", "c", "d", "e"
    few = able(can=without("reason"))
    assert few.capabilities is not None
    assert lost(Attempt(few.capabilities._replace(missing=fields + ("reason",)), None)) == "reason, a, b, c, d, e"
    assert lost(Attempt(few.capabilities._replace(missing=fields + ("f",)), None)) == "reason, 6 fields of events"


class FakeTracer(Tracer):
    """A tracer whose library is made of Python; ``can`` is what that one can do."""

    can: Optional[Capabilities] = None

    def __init__(self, **options: Any) -> None:
        super().__init__(_native_library=FakeLibrary(), **options)  # type: ignore[arg-type]
        self.capabilities = self.can or self.capabilities


@pytest.fixture
def host(tmp_path: Any) -> MadeUpHost:
    made = MadeUpHost(tmp_path, V1)
    made.write("proc/self/status", "CapEff:\t000001ffffffffff\n")
    made.write("proc/self/uid_map", "0 0 4294967295\n")
    made.write("sys/fs/selinux/enforce", "1")
    made.process(1, start=0)
    return made


def examined(host: MadeUpHost, **options: Any) -> Report:
    options.setdefault("tracer", FakeTracer)
    return examine(root=host.top, roots=host.roots(), **options)


@pytest.fixture(autouse=True)
def library(stub: Any, use_library: Any) -> None:
    use_library(stub())


KEYS = {"type", "verdict", "exit_code", "lacks", "notes", "kernel", "btf", "tracefs", "rights", "settings", "surroundings",
        "cgroups", "library", "guards", "chosen", "attach", "buffers", "failures"}


def test_json(host: MadeUpHost) -> None:
    told = json.loads(json.dumps(examined(host).to_dict()))
    assert set(told) == KEYS and told["failures"] == {}
    assert (told["type"], told["verdict"], told["exit_code"]) == ("doctor", "full", 0)
    assert set(told["attach"]) == {"tp_btf", "raw_tp", "tp", "kprobe"} and set(told["buffers"]) == {"ring", "perf"}
    assert told["chosen"]["capabilities"]["attach"] == "tp_btf"
    assert told["guards"]["selinux"] == "enforcing" and told["rights"]["missing"] == []


def test_json_is_documented() -> None:
    from places import REPOSITORY

    with open(REPOSITORY + "/docs/doctor.md", encoding="utf-8") as file:
        text = file.read()
    nested = [fact._fields for fact in (Btf, Rights, Library, Surroundings, Cgroups, Attempt)]
    assert [name for names in [tuple(KEYS)] + nested for name in names if "`%s`" % name not in text] == []


def test_json_is_utf8_whatever_files_are_called(host: MadeUpHost) -> None:
    told = examined(host, given_btf="/nowhere/\udcff").to_dict()
    assert told["btf"]["path"] == "/nowhere/\\udcff"
    json.dumps(told, ensure_ascii=False).encode("utf-8")


def shown(told: Report, width: Optional[int]) -> List[str]:
    lines = screen(told, width).splitlines()
    assert max(map(len, lines)) <= max(40, min(width or 80, 120))
    return lines


@pytest.mark.parametrize("width", [None, 20, 80, 100, 200])
def test_one_screen(host: MadeUpHost, width: Optional[int]) -> None:
    lines = shown(examined(host), width)
    assert len(lines) <= (30 if width != 20 else 60) and lines[0].endswith("doctor: full")
    names = [line[2:15].strip() for line in lines]
    for name in ("kernel", "btf", "tracefs", "rights", "library", "tp_btf", "raw_tp", "tp", "kprobe", "ring", "perf", "full"):
        assert name in names
    assert sum("<- chosen" in line for line in lines) == 2


@pytest.mark.reliability
def test_a_screen_with_nothing_that_a_terminal_obeys(host: MadeUpHost) -> None:
    text = "\n".join(shown(examined(host, given_btf="/no\x1b[31mwhere\n\u202e"), 80))
    assert "\x1b" not in text and "\u202e" not in text and "/no\\x1b[31mwhere\\x0a\\u202e" in text
    tried.count("security", "hostile file name: doctor", "shown escaped")


def test_notes_of_the_library_are_shown(host: MadeUpHost) -> None:
    class Poor(FakeTracer):
        can = capabilities(2, 2, without("ledger"), 0, "tp_btf: no BTF\nring: none\nstall: no tracepoint for it\nodd")

    told = examined(host, tracer=Poor)
    notes = [(row.name, row.text) for row in rows(told) if row.mark == "!"]
    assert ("stall", "no tracepoint for it") in notes and ("", "odd") in notes
    assert ("tp_btf", "no BTF") not in notes
    assert told.verdict.level == "degraded" and len(shown(told, 80)) <= 40


def test_the_same_refusal_is_told_once(host: MadeUpHost) -> None:
    def refuse(**options: Any) -> Any:
        raise PermissionError("only root may")
    told = examined(host, tracer=refuse)
    ways = {row.name: row.text for row in rows(told) if row.mark == "-"}
    assert ways["tp_btf"] == "only root may" and ways["tp"] == ways["perf"] == "as tp_btf"
    assert ways["impossible"] == "only root may"


@pytest.mark.parametrize("check", ["library", "attempts", "rights", "surroundings", "cgroups", "tracefs", "guards"])
def test_a_check_that_fails_takes_no_other_along(host: MadeUpHost, monkeypatch: Any, check: str) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("quite unexpected")
    monkeypatch.setattr(report, check, broken)
    told = examined(host)
    assert told.failures == {check: "RuntimeError: quite unexpected"}
    assert told.verdict.level == ("impossible" if check == "attempts" else "full")
    assert "quite unexpected" in "\n".join(shown(told, 120))
    assert set(told.to_dict()) == KEYS


def test_an_empty_place(tmp_path: Any) -> None:
    """No /proc, no /sys, nothing."""
    empty = MadeUpHost(tmp_path)
    roots = empty.roots()._replace(proc="/nowhere", own="/nowhere/self")
    told = examine(root=empty.path("none"), roots=roots, tracer=FakeTracer)
    assert told.failures == {} and told.verdict.level == "degraded"
    assert len(shown(told, 80)) <= 35


def test_what_dropping_rights_leaves_is_told(host: MadeUpHost, stub: Any, use_library: Any) -> None:
    use_library(stub())
    report = examined(host)
    assert report.rights is not None and report.rights.kept == ("CAP_BPF",)
    assert any("'trace --user' keeps CAP_BPF" in row.text for row in rows(report) if row.name == "rights")
    use_library("/nowhere.so")
    report = examined(host)
    assert report.rights is not None and report.rights.kept is None and "rights" not in report.failures
