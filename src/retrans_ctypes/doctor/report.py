"""All checks, each of which may fail by itself."""

import os
from typing import Any, Callable, Dict, NamedTuple, Optional, TypeVar

from ..errors import LibraryError
from ..roots import Roots, host_roots
from ..tracer import Tracer
from . import kernel
from .attempts import Attempts, attempts
from .guards import Guards, guards
from .kernel import Btf, Kernel, Settings
from .library import Library, library
from .rights import Rights, rights
from .surroundings import Cgroups, Surroundings, cgroups, surroundings
from .tracefs import Tracefs, tracefs
from .verdict import Facts, Verdict, verdict

T = TypeVar("T")


class Report(NamedTuple):
    """What was found out; None where a check itself failed, which ``failures`` tells by its name."""

    verdict: Verdict
    kernel: Optional[Kernel]
    btf: Optional[Btf]
    tracefs: Optional[Tracefs]
    rights: Optional[Rights]
    settings: Optional[Settings]
    surroundings: Optional[Surroundings]
    cgroups: Optional[Cgroups]
    library: Optional[Library]
    guards: Optional[Guards]
    attempts: Optional[Attempts]
    failures: Dict[str, str]

    def to_dict(self) -> Dict[str, Any]:
        """Ready for JSON; docs/doctor.md explains it."""
        said = self.verdict
        made: Dict[str, Any] = {
            "type": "doctor", "verdict": said.level, "exit_code": said.exit_code,
            "lacks": [dict(lack._asdict()) for lack in said.lacks], "notes": list(said.notes)}
        for name in ("kernel", "btf", "rights", "settings", "surroundings", "cgroups", "library",
                     "guards"):
            fact = getattr(self, name)
            made[name] = None if fact is None else dict(fact._asdict())
        made["tracefs"] = None if self.tracefs is None else dict(
            self.tracefs._asdict(), places=[dict(place._asdict()) for place in self.tracefs.places])
        made.update({"chosen": None, "attach": None, "buffers": None})
        if self.attempts is not None:
            made["chosen"] = self.attempts.chosen.to_dict()
            for name in ("attach", "buffers"):
                made[name] = {way: attempt.to_dict()
                              for way, attempt in getattr(self.attempts, name).items()}
        made["failures"] = self.failures
        utf8: Dict[str, Any] = _utf8(made)
        return utf8


def _utf8(value: Any) -> Any:
    """Names of files may be any bytes, and what Python makes of these is no JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _utf8(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_utf8(each) for each in value]
    return value


def _kept(tracer: Any) -> Any:
    try:
        return tracer.lasting_rights()
    except LibraryError:  # which is told elsewhere
        return None


def examine(
    given_btf: Optional[str] = None, root: str = "", roots: Optional[Roots] = None,
    tracer: Any = Tracer,
) -> Report:
    """Check everything. ``root`` and ``roots``: where to look; ``tracer``: how to open one."""
    failures: Dict[str, str] = {}

    def safely(name: str, check: Callable[[], T]) -> Optional[T]:
        try:
            return check()
        except Exception as error:  # one check that fails must not take the others along
            failures[name] = "%s: %s" % (type(error).__name__, error)
            return None

    places = host_roots() if roots is None else roots
    found = Facts(
        library=safely("library", library),
        attempts=safely("attempts", lambda: attempts(tracer, given_btf)),
        btf=safely("btf", lambda: kernel.btf(root, given_btf)),
        rights=safely("rights", lambda: rights(os.geteuid(), root)._replace(kept=_kept(tracer))),
        surroundings=safely("surroundings", lambda: surroundings(places, os.environ, root)),
        cgroups=safely("cgroups", lambda: cgroups(places)),
        settings=safely("settings", lambda: kernel.settings(root)),
        guards=safely("guards", lambda: guards(root)))
    return Report(
        verdict=verdict(found), kernel=safely("kernel", kernel.kernel), btf=found.btf,
        tracefs=safely("tracefs", lambda: tracefs(root)), rights=found.rights,
        settings=found.settings, surroundings=found.surroundings, cgroups=found.cgroups,
        library=found.library, guards=found.guards, attempts=found.attempts, failures=failures)
