"""The report for people: rows of a mark, a name and a text. How wide they are is not decided here."""

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .attempts import Attempt, Attempts
from .guards import Guards
from .kernel import Btf, Kernel, Settings
from .library import Library
from .report import Report
from .rights import Rights
from .surroundings import Cgroups, Surroundings
from .tracefs import Tracefs
from .verdict import Verdict, lost, remarks

GOOD, WORSE, BAD, PLAIN = "+", "!", "-", " "
_MOST_LACKS = 2
_HEX_DIGITS = 12  # of the sha256: enough to compare by eye


class Row(NamedTuple):
    mark: str
    name: str
    text: str


def rows(report: Report, verbose: bool = False) -> List[Row]:
    """``verbose``: with all that is lacking, else with what matters most."""
    found: List[Row] = []
    for name, (fact, describe) in _described(report).items():
        if fact is None:
            found.append(Row(WORSE, name, "could not be checked: %s" % report.failures.get(
                name, "see --json")))
        else:
            found.append(Row(describe(fact)[0], name, describe(fact)[1]))
    if report.attempts is None:
        found.append(Row(BAD, "attach", "could not be tried: %s" % report.failures.get("attempts")))
    elif report.library is None or not report.library.problem:
        found += _ways(report.attempts)
    return found + list(_last(report.verdict, verbose))


def _described(report: Report) -> Dict[str, Tuple[Any, Callable[[Any], Tuple[str, str]]]]:
    return {
        "kernel": (report.kernel, _kernel), "btf": (report.btf, _btf),
        "tracefs": (report.tracefs, _tracefs), "rights": (report.rights, _rights),
        "settings": (report.settings, _settings),
        "surroundings": (report.surroundings, _surroundings),
        "cgroups": (report.cgroups, _cgroups), "library": (report.library, _library),
        "guards": (report.guards, _guards),
    }


def _kernel(fact: Kernel) -> Tuple[str, str]:
    return PLAIN, "%s %s" % fact


def _btf(fact: Btf) -> Tuple[str, str]:
    how = ", named with --btf" if fact.given else ""
    if fact.problem is None:
        return GOOD, "%s, %s%s" % (fact.path, _size(fact.bytes or 0), how)
    return BAD, "%s: %s%s" % (fact.path, fact.problem, how)


def _tracefs(fact: Tracefs) -> Tuple[str, str]:
    if fact.path is not None:
        if fact.tracepoint:
            return GOOD, fact.path
        return BAD, "%s, where tcp:tcp_retransmit_skb is missing or cannot be read" % fact.path
    closed = ["%s: %s" % (place.path, place.problem) for place in fact.places
              if place.state == "closed"]
    if closed:
        return PLAIN, "%s (only 'tp' needs it)" % ", ".join(closed)
    return PLAIN, ("not mounted (only 'tp' needs it, and --tracepoints):"
                   " mount -t tracefs tracefs /sys/kernel/tracing")


def _rights(fact: Rights) -> Tuple[str, str]:
    parts = ["uid %d" % fact.euid]
    if fact.held is None:
        parts.append("capabilities cannot be told, since /proc is not there")
    else:
        parts.append("has " + (" ".join(fact.held) or "no capability of use"))
        if fact.missing:
            parts.append("lacks " + " ".join(fact.missing))
    if fact.unheard_of:
        parts.append("CAP_SYS_ADMIN is needed, since this kernel does not know "
                     + " ".join(fact.unheard_of))
    if fact.user_namespace:
        parts.append("inside a user namespace, where they do not count")
    if fact.kept:
        parts.append("'trace --user' keeps %s: without, this kernel refuses every bpf() call"
                     % " ".join(fact.kept))
    if fact.seccomp not in (None, "none"):
        parts.append("a seccomp filter forbids some system calls")
    if fact.user_namespace or fact.may_trace() is False:
        return BAD, "; ".join(parts)
    return WORSE if fact.missing else GOOD, "; ".join(parts)


def _settings(fact: Settings) -> Tuple[str, str]:
    limit = fact.memlock_bytes
    memlock = "unknown" if limit is None else "unlimited" if limit < 0 else _size(limit)
    text = ("lockdown %s, unprivileged_bpf_disabled %s, perf_event_paranoid %s,"
            " memlock %s (before Linux 5.11)" % (
                fact.lockdown or "not there", _or_not_there(fact.unprivileged_bpf_disabled),
                _or_not_there(fact.perf_event_paranoid), memlock))
    if fact.lockdown == "confidentiality":
        return BAD, text + "; this lockdown forbids tracing"
    return PLAIN, text


def _surroundings(fact: Surroundings) -> Tuple[str, str]:
    parts = ["in a container (%s)" % fact.container if fact.container else "not in a container"]
    if fact.namespaces:
        parts.append("namespaces of its own: " + " ".join(fact.namespaces))
    if fact.host:
        parts.append("the host's files below " + fact.host)
    if not fact.host_pids:
        parts.append("the host's processes are not seen")
    elif fact.hidden_processes:
        parts.append("other users' processes are not seen (%s)" % fact.hidden_processes)
    else:
        parts.append("all processes are seen")
        if fact.closed_processes:
            parts[-1] += ", %d of %d without their namespaces" % (
                fact.closed_processes, fact.processes)
    worse = not fact.host_pids or fact.hidden_processes or 2 * fact.closed_processes > fact.processes
    return WORSE if worse else GOOD, "; ".join(parts)


def _cgroups(fact: Cgroups) -> Tuple[str, str]:
    if fact.layout == "none":
        return PLAIN, "none is mounted"
    how = "%s; pods, containers and units are told by the %s" % (fact.layout, fact.told_by)
    if fact.told_by is None:
        return WORSE, "%s; not all of them can be seen from here" % fact.layout
    return GOOD if fact.told_by == "socket" else PLAIN, how


def _library(fact: Library) -> Tuple[str, str]:
    if fact.problem is not None:
        return BAD, fact.problem
    return GOOD, "%s, %s, sha256 %s, %s" % (
        fact.version, fact.machine or "unknown machine", (fact.sha256 or "unknown")[:_HEX_DIGITS],
        fact.path) + (", mounted noexec" if fact.noexec else "")


def _guards(fact: Guards) -> Tuple[str, str]:
    fapolicyd = {
        "running": "fapolicyd runs: if it keeps the library from being loaded, have it trusted"
                   " (fapolicyd-cli --file add FILE; fapolicyd-cli --update)",
        "installed": "fapolicyd is installed; no such process is seen",
    }.get(fact.fapolicyd or "", "no fapolicyd")
    return (WORSE if fact.fapolicyd == "running" else PLAIN,
            "SELinux %s; %s" % (fact.selinux or "off", fapolicyd))


def _ways(tries: Attempts) -> Iterator[Row]:
    chosen = tries.chosen.capabilities
    said: Dict[str, str] = {}
    for ways, describe in ((tries.attach, _attach), (tries.buffers, _buffer)):
        for name, attempt in ways.items():
            mark, text = describe(attempt)
            if chosen is not None and name in (chosen.attach, chosen.buffer):
                text += " <- chosen"
            same = said.setdefault(text, name)
            yield Row(mark, name, text if same == name or attempt.works else "as " + same)
    for topic, sentence in remarks(chosen) if chosen is not None else ():
        yield Row(WORSE, topic, sentence)


def _attach(attempt: Attempt) -> Tuple[str, str]:
    without = lost(attempt)
    if attempt.works and without:
        return WORSE, "works, without " + without
    return _buffer(attempt)


def _buffer(attempt: Attempt) -> Tuple[str, str]:
    return (GOOD, "works") if attempt.works else (BAD, attempt.refusal or "refused")


def _last(verdict: Verdict, verbose: bool) -> Iterator[Row]:
    most = len(verdict.lacks) if verbose else _MOST_LACKS
    yield Row(PLAIN, "", "")
    if verdict.level == "full":
        yield Row(GOOD, "full", "every retransmit is told, with its reason, owner and waiting time,"
                                " and there is a ledger")
    for index, lack in enumerate(verdict.lacks[:most]):
        yield Row(BAD if verdict.level == "impossible" else WORSE,
                  "" if index else verdict.level, str(lack))
    more = len(verdict.lacks) - most
    if more > 0:
        yield Row(PLAIN, "", "and %d more, which -v lists" % more)
    for note in verdict.notes:
        yield Row(PLAIN, "note", note)


def _size(size: int) -> str:
    for unit, bytes_in in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_in:
            return "%.1f %s" % (size / bytes_in, unit)
    return "%d bytes" % size


def _or_not_there(number: Optional[int]) -> str:
    return "not there" if number is None else str(number)
