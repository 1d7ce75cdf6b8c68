"""Batches of events as numpy arrays; the extra [numpy] brings what it needs.

    import numpy
    from retrans_ctypes import Tracer
    from retrans_ctypes.arrays import event_dtype

    with Tracer() as tracer:
        for batch in tracer.batches():
            events = numpy.frombuffer(batch, dtype=event_dtype())
            print(events["segs"].sum(), numpy.bincount(events["reason"]))
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .event import Event

if TYPE_CHECKING:
    import numpy

_CODES = {"Q": "=u8", "I": "=u4", "i": "=i4", "H": "=u2", "B": "u1"}
_ADDRESSES = ("saddr", "daddr")


@lru_cache(maxsize=None)
def event_dtype() -> "numpy.dtype[Any]":
    """The event's struct, as numpy.frombuffer() takes it.

    Values are as the kernel gave them (native/tcpretrans_event.h): names are numbers (event.REASONS
    and the like tell which), addresses 16 bytes (IPv4 in the first four), and what is not known is
    any number: the bits in ``known`` (event.KNOWN_SEGS and the like) tell. Raises ImportError
    without numpy.
    """
    import numpy

    places = {place.name: place for place in Event.places()}
    fields = [field for field in Event.FIELDS if not field.is_padding]
    return numpy.dtype({
        "names": [field.name for field in fields],
        "formats": [_format(field.name, field.code) for field in fields],
        "offsets": [places[field.name].offset for field in fields],
        "itemsize": Event.LAYOUT.size,
    })


def _format(name: str, code: str) -> Any:
    text = re.match(r"(\d+)s$", code)
    if text is None:
        return _CODES[code]
    return ("u1", int(text.group(1))) if name in _ADDRESSES else "S" + text.group(1)
