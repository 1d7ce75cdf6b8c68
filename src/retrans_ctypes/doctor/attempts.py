"""Tries of every way of tracing: each is opened for real, and closed at once."""

from typing import Any, Callable, Dict, NamedTuple, Optional

from ..capabilities import ATTACH, BUFFERS, Capabilities

_WITHOUT_BTF_FILE = ("tp_btf", "tp")  # they refuse one: the former has the kernel's, the latter none

# What Tracer is: takes attach, buffer and btf; entered, it has capabilities.
Open = Callable[..., Any]


class Attempt(NamedTuple):
    """``refusal`` says why it does not work, None where it does."""

    capabilities: Optional[Capabilities]
    refusal: Optional[str]

    @property
    def works(self) -> bool:
        return self.capabilities is not None

    def to_dict(self) -> Dict[str, Any]:
        can = self.capabilities
        return {"works": self.works, "refusal": self.refusal,
                "capabilities": None if can is None else can.to_dict()}


class Attempts(NamedTuple):
    """``chosen``: what tracing without options takes. ``attach``, ``buffers``: each one forced."""

    chosen: Attempt
    attach: Dict[str, Attempt]
    buffers: Dict[str, Attempt]

    def first_that_works(self) -> Optional[str]:
        """The best way of attaching that works when it is asked for."""
        return next((name for name, attempt in self.attach.items() if attempt.works), None)


def attempts(tracer: Open, btf: Optional[str]) -> Attempts:
    return Attempts(
        chosen=_try(tracer, btf=btf),
        attach={name: _try(tracer, attach=name, btf=None if name in _WITHOUT_BTF_FILE else btf)
                for name in ATTACH.values() if name != "auto"},
        buffers={name: _try(tracer, buffer=name, btf=btf)
                 for name in BUFFERS.values() if name != "auto"})


def _try(tracer: Open, **options: Any) -> Attempt:
    try:
        with tracer(**options) as opened:
            return Attempt(opened.capabilities, None)
    except Exception as error:  # whatever it is, it is what would happen
        return Attempt(None, str(error) or type(error).__name__)
