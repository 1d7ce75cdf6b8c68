"""What happened when: a time line whose steps grow with it, so that it stays short."""

from collections import Counter
from typing import Counter as CounterOf, Dict, Iterator, List, NamedTuple, Tuple

from .words import NS

MOST = 240
"""Steps that a time line has at most."""

MOST_PREFIXES = 1024
"""Remote prefixes that a step keeps apart."""

OTHERS = (0, b"")
"""What stands for all other prefixes."""

Prefix = Tuple[int, bytes]  # IP version, first bytes

# Each a multiple of the one before, so that whole steps make a longer one.
_WIDTHS = [NS // 10, NS // 2] + [NS * seconds for seconds in (
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800)]


class Step(NamedTuple):
    """What is counted for one bucket of time, in segments."""

    reasons: CounterOf[str]
    prefixes: CounterOf[Prefix]


class TimeLine:
    """Steps of one length, which grows when they become too many."""

    def __init__(self) -> None:
        self.width_ns = _WIDTHS[0]
        self._steps: Dict[int, Step] = {}
        self._low = self._high = 0

    def step(self, at_ns: int) -> Tuple[Step, int, int]:
        """The step that a moment is in, where it begins, and where it ends."""
        number = at_ns // self.width_ns
        if number not in self._steps:
            self._low = min(self._low, number) if self._steps else number
            self._high = max(self._high, number) if self._steps else number
            while self._high - self._low >= MOST:
                self._lengthen()
            number = at_ns // self.width_ns
            self._steps.setdefault(number, Step(Counter(), Counter()))
        begin = number * self.width_ns
        return self._steps[number], begin, begin + self.width_ns

    def steps(self) -> Iterator[Tuple[int, Step]]:
        """Where each begins, and the step, in order; those in which nothing was are left out."""
        return ((number * self.width_ns, self._steps[number]) for number in sorted(self._steps))

    def starts(self) -> List[int]:
        """Where each step begins, those in which nothing was included."""
        if not self._steps:
            return []
        return [number * self.width_ns for number in range(self._low, self._high + 1)]

    def _lengthen(self) -> None:
        longer = next((width for width in _WIDTHS if width > self.width_ns), self.width_ns * 2)
        factor = longer // self.width_ns
        steps: Dict[int, Step] = {}
        for number, step in self._steps.items():
            whole = steps.setdefault(number // factor, Step(Counter(), Counter()))
            whole.reasons.update(step.reasons)
            whole.prefixes.update(step.prefixes)
        for step in steps.values():
            shorten(step.prefixes)
        self._steps, self.width_ns = steps, longer
        self._low //= factor
        self._high //= factor


def shorten(prefixes: CounterOf[Prefix], most: int = MOST_PREFIXES) -> None:
    """Count the smallest as others, where there are too many."""
    if len(prefixes) > most:
        others = prefixes.pop(OTHERS, 0)
        for prefix, segs in prefixes.most_common()[most // 2:]:
            others += segs
            del prefixes[prefix]
        prefixes[OTHERS] = others
