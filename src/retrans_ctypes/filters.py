"""Which events to see. What a filter keeps back is still counted: ``Stats.filtered``."""

from typing import NamedTuple, Optional

from .errors import FilterError


class _Fields(NamedTuple):
    family: Optional[int] = None


class Filter(_Fields):
    """``family``: 4 or 6 for one IP version only (IPv4-mapped IPv6 is 4), None for both.

    Immutable, and checked when made: FilterError says what cannot be.
    """

    __slots__ = ()

    def __new__(cls, family: Optional[int] = None) -> "Filter":
        if family not in (None, 4, 6):
            raise FilterError("there is no IP version %r to filter by: use 4 or 6" % (family,))
        return super().__new__(cls, family)
