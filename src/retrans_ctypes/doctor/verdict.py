"""What it all comes to: can one trace here, how well, and what would make it better."""

from typing import Iterator, NamedTuple, Optional, Tuple

from ..capabilities import ATTACH, BUFFERS, CAN, Capabilities
from .attempts import Attempt, Attempts
from .guards import Guards
from .kernel import Btf, Settings
from .library import Library
from .rights import Rights
from .surroundings import Cgroups, Surroundings

EXIT_CODES = {"full": 0, "degraded": 1, "impossible": 2}

# Kernels before 6.17 do not tell of attempts that failed. All that was sent is told there all the same.
_NOT_COUNTED = {"failed"}
_SAID_ELSEWHERE = set(ATTACH.values()) | set(BUFFERS.values()) | _NOT_COUNTED
_FEW = 5  # fields that are named; more are counted, and `capabilities` names them


class Lack(NamedTuple):
    """Something that is lost here, and what it takes to have it."""

    what: str
    better: str

    def __str__(self) -> str:
        return "%s; better: %s" % (self.what, self.better) if self.better else self.what


class Verdict(NamedTuple):
    """``full``: nothing is lost. ``degraded``: it traces, but ``lacks`` are lost, the worst one first.
    ``impossible``: it does not trace. ``notes``: good to know, and no loss."""

    level: str
    lacks: Tuple[Lack, ...]
    notes: Tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.level]


class Facts(NamedTuple):
    """What the verdict is made from; None is what could not be found out."""

    library: Optional[Library]
    attempts: Optional[Attempts]
    btf: Optional[Btf]
    rights: Optional[Rights]
    surroundings: Optional[Surroundings]
    cgroups: Optional[Cgroups]
    settings: Optional[Settings] = None
    guards: Optional[Guards] = None


def verdict(facts: Facts) -> Verdict:
    tries = facts.attempts
    if tries is None or not tries.chosen.works and tries.first_that_works() is None:
        return Verdict("impossible", (Lack(*_why_not(facts)),), ())
    lacks = tuple(_lacks(facts, tries))
    return Verdict("degraded" if lacks else "full", lacks, tuple(_notes(facts, tries.chosen)))


def _why_not(facts: Facts) -> Tuple[str, str]:
    """The library's own sentence already ends with what to do, but it does not see all that we do."""
    if facts.library is not None and facts.library.problem:
        return facts.library.problem, _trust(facts.library, facts.guards)
    if facts.settings is not None and facts.settings.lockdown == "confidentiality":
        return ("the kernel is locked down (confidentiality), so nobody may look into it",
                "lockdown 'integrity' or none, which takes another boot")
    if facts.attempts is None or not facts.attempts.chosen.refusal:
        return "no way of tracing could be tried", "see what the lines above say"
    return facts.attempts.chosen.refusal, ""


def _trust(library: Library, guards: Optional[Guards]) -> str:
    """fapolicyd answers EPERM to whoever opens or maps what it does not trust."""
    if guards is None or guards.fapolicyd is None or "not permitted" not in (library.problem or ""):
        return ""
    return ("have fapolicyd trust it (fapolicyd-cli --file add %s; fapolicyd-cli --update)"
            % library.path)


def _lacks(facts: Facts, tries: Attempts) -> Iterator[Lack]:
    if not tries.chosen.works:
        given = facts.btf is not None and facts.btf.given
        yield Lack(tries.chosen.refusal or "nothing works unless it is asked for",
                   "start it with --attach %s%s" % (
                       tries.first_that_works(), ", without --btf" if given else ""))
    else:
        what = lost(tries.chosen)
        if what:
            yield Lack("not told here: " + what, _better_way(facts, tries))
    if facts.surroundings is not None:
        yield from _unnamed(facts.surroundings, facts.rights)
    if facts.cgroups is not None and facts.cgroups.layout != "none" and not facts.cgroups.told_by:
        yield Lack("pods, containers and units are not named, since not all cgroups can be seen",
                   "a container with --pid=host --cgroupns=host")
    if facts.rights is not None:
        yield from _uncounted(facts.rights)


def _uncounted(rights: Rights) -> Iterator[Lack]:
    if rights.holds("CAP_SYS_ADMIN") is False:
        yield Lack("network namespaces without a process are not in the ledger, nor, of any but this"
                   " one, what a socket sent last without an event", "CAP_SYS_ADMIN")


def lost(attempt: Attempt) -> str:
    """What that tracer does not tell and a better one would; empty where that is nothing."""
    can = attempt.capabilities
    if can is None:
        return ""
    names = [name for name in CAN if not getattr(can, name) and name not in _NOT_COUNTED]
    fields = [name for name in can.missing if name not in names]
    in_part = [topic for topic, _ in remarks(can) if topic and topic not in names + fields]
    if len(fields) > _FEW:
        names.append("%d fields of events" % len(fields))
    else:
        names += fields
    return ", ".join(names + ["%s in part" % topic for topic in in_part])


def remarks(can: Capabilities) -> Iterator[Tuple[str, str]]:
    """(topic, sentence) of the library's notes, but for what is said elsewhere: other ways' refusals,
    and what no host is blamed for."""
    for note in can.notes:
        topic, colon, sentence = note.partition(": ")
        if not colon:
            yield "", note
        elif topic not in _SAID_ELSEWHERE:
            yield topic, sentence


def _better_way(facts: Facts, tries: Attempts) -> str:
    can = tries.chosen.capabilities
    if can is not None and can.attach == "tp_btf":
        place = facts.surroundings
        if place is None or "pid" not in place.namespaces:
            return "a newer kernel"
        pids = "a container with --pid=host"  # the open files of processes outside are not shown
        return pids if lost(tries.chosen) == "holders in part" else "a newer kernel, and " + pids
    if facts.btf is not None and facts.btf.problem:
        return "a kernel with BTF (CONFIG_DEBUG_INFO_BTF=y), or its BTF in a file named with --btf"
    return "what tp_btf says it needs"


def _unnamed(place: Surroundings, rights: Optional[Rights]) -> Iterator[Lack]:
    if not place.host_pids:
        yield Lack("owners have a pid and a name, but no command line, since the host's processes"
                   " are not seen", "a container with --pid=host, or /proc mounted")
        return
    if place.hidden_processes:
        yield Lack("command lines of other users' processes cannot be read (%s)"
                   % place.hidden_processes, "CAP_SYS_PTRACE, or /proc mounted without hidepid")
    if place.closed_processes and rights is not None and rights.holds("CAP_SYS_PTRACE") is False:
        yield Lack("%d of %d processes do not show their network namespaces, which may so have"
                   " neither name nor ledger" % (place.closed_processes, place.processes), "CAP_SYS_PTRACE")


def _notes(facts: Facts, chosen: Attempt) -> Iterator[str]:
    can = chosen.capabilities
    if can is not None and not can.failed:
        yield can.why("failed") or "attempts that the kernel could not send are not told"
    groups = facts.cgroups
    if groups is not None and groups.told_by == "owner":
        yield ("with cgroup %s, pods, containers and units are told by the owner, while it lives;"
               " cgroup v2 alone tells them by the socket" % groups.layout)
