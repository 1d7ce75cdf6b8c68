"""Bytes of a fuzzer, read as choices: what a value of a hostile file or host shall be."""
import json
from typing import Any, Iterable, List, Optional, Sequence

ODD_NUMBERS = (0, 1, -1, 4, 6, 255, 256, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 10**18,
               (1 << 63) - 1, 1 << 63, -(1 << 63), (1 << 64) - 1, 1 << 64, 10**30, 10**400)
ODD_TEXTS = ("", " ", "\0", "a" * 5000, "-", "/", "..", "\x1b[2J\x1b]0;x\x07", "\r\n", "\u202e", "\ud800", "\udcff",
             "<img src=x onerror=alert(1)>", "</script><script>x</script>", "<!--", "`|*_[x](http://evil.example/)",
             '"', "\\", "'; DROP TABLE event; --", "\x9b31m", "\u2028", "NaN", "1e999", "\U0001f600", "%s%n", "9" * 5000)


class Choices:
    """Reads ``data`` from its start; behind its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def raw(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        taken = self._data[self._at:self._at + size]
        self._at += len(taken)
        return taken

    def byte(self) -> int:
        return (self.raw(1) or b"\0")[0]

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[self.byte() % len(options)]

    def now_and_then(self, out_of: int = 8) -> bool:
        return self.byte() % out_of == 1

    def number(self) -> int:
        kind = self.byte() % 4
        if kind == 0:
            return int(self.one_of(ODD_NUMBERS))
        return int.from_bytes(self.raw((1, 4, 9)[kind - 1]), "little", signed=True)

    def text(self) -> str:
        kind = self.byte() % 3
        if kind == 0:
            return str(self.one_of(ODD_TEXTS))
        raw = self.raw(self.byte() % (16 if kind == 1 else 200))
        return raw.decode("utf-8", "surrogateescape" if self.byte() & 1 else "replace")

    def value(self, depth: int = 3) -> Any:
        """What JSON can hold, and a little more."""
        kind = self.byte() % (9 if depth else 7)
        if kind == 0:
            return None
        if kind == 1:
            return self.byte() & 1 == 1
        if kind in (2, 3):
            return self.number()
        if kind == 4:
            return self.one_of((0.0, -0.5, 1e308, float("inf"), float("nan"), 1e-9))
        if kind in (5, 6):
            return self.text()
        members = range(self.byte() % 6)
        if kind == 7:
            return [self.value(depth - 1) for _ in members]
        return {self.text(): self.value(depth - 1) for _ in members}

    def spoil(self, fields: Any, names: Optional[Iterable[str]] = None) -> None:
        """Put something else into a few of the members of a dict, or leave them out."""
        known: List[str] = sorted(fields if names is None else names)
        for _ in range(self.byte() % 4 if known else 0):
            name = self.one_of(known)
            if self.now_and_then():
                fields.pop(name, None)
            else:
                fields[name] = self.value()


def storable(value: Any) -> Any:
    """``value`` as SQLite can have it: any type in any column."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, int) and not -1 << 63 <= value < 1 << 63:
        return float("inf") if value > 10**300 else float(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return value
