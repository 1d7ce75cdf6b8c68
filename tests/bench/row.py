"""Rows, their targets, and how alternating runs become figures."""
from statistics import median
from types import TracebackType
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Type

# What one run found, by name. Names that no row has are for the notes.
Figures = Dict[str, float]


class Target(NamedTuple):
    """What a row shall come to: its ratio to the rival, or its own figure where `absolute`."""

    sign: str   # "<=", ">=", "<"
    value: float
    absolute: bool = False

    def met(self, figure: float) -> bool:
        if self.sign == "<=":
            return figure <= self.value
        return figure >= self.value if self.sign == ">=" else figure < self.value


class Row(NamedTuple):
    """One line of the table: a figure of a Measurement."""

    key: str      # its name among the Figures, and on the command line
    what: str
    unit: str
    target: Target
    note: str = ""  # says more about it below the table; {name} is a median of ours, {rival[name]} of theirs


class Measurement:
    """Something that is measured in turns: ours, the rival, ours, the rival ...

    To add one, derive from it in a module of `rows` and name it in rows/__init__.py. One measurement may
    give several rows, where a run is dear. `with` makes what all its runs need.
    """

    rows: Sequence[Row] = ()
    rival_name = ""  # empty: there is none
    most_runs = 1000  # where fewer say as much

    def ours(self) -> Figures:
        raise NotImplementedError

    def rival(self) -> Figures:
        raise NotImplementedError

    def __enter__(self) -> "Measurement":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        pass


class Result(NamedTuple):
    """A row and what its runs found."""

    row: Row
    rival_name: str
    ours: List[Figures]
    rival: List[Figures]

    @property
    def our_median(self) -> float:
        return medians(self.ours)[self.row.key]

    @property
    def rival_median(self) -> Optional[float]:
        return medians(self.rival)[self.row.key] if self.rival else None

    @property
    def ratio(self) -> Optional[float]:
        """Ours to theirs; None without a rival, or where the rival came to nothing."""
        theirs = self.rival_median
        return self.our_median / theirs if theirs else None

    @property
    def met(self) -> bool:
        figure = self.our_median if self.row.target.absolute else self.ratio
        return figure is not None and self.row.target.met(figure)

    @property
    def note(self) -> str:
        return self.row.note.format(rival=medians(self.rival), **medians(self.ours))


def medians(runs: Sequence[Figures]) -> Figures:
    return {name: median(run[name] for run in runs) for name in (runs[0] if runs else {})}


def measure(measurement: Measurement, runs: int, tell: Callable[[str], None]) -> List[Result]:
    """So many runs of each side, in turns, so that what the machine does meanwhile meets both."""
    ours: List[Figures] = []
    rival: List[Figures] = []
    with measurement:
        number_of_runs = min(runs, measurement.most_runs)
        for number in range(1, number_of_runs + 1):
            tell("{}: run {} of {}".format(measurement.rows[0].key, number, number_of_runs))
            ours.append(measurement.ours())
            if measurement.rival_name:
                rival.append(measurement.rival())
    return [Result(row, measurement.rival_name, ours, rival) for row in measurement.rows]
