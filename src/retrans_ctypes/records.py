"""Fixed-layout records, described once.

A ``Record`` subclass is its own table: each ``Field`` in the class body is one row of the C struct,
in the struct's order. From the rows come the struct format, the properties, ``to_dict()`` and the
documentation, so there is nothing to keep in step by hand.

A record is the tuple that ``struct`` unpacked, with names: making one costs no more than copying
that tuple, and values are converted only when they are asked for.
"""

import struct
from operator import itemgetter
from typing import (
    TYPE_CHECKING, Any, Callable, ClassVar, Dict, Generic, Iterator, List, Mapping, NamedTuple,
    Optional, Tuple, Type, TypeVar, Union, overload,
)

if TYPE_CHECKING:
    _Raw = Tuple[Any, ...]
else:
    _Raw = tuple  # typing.Tuple would make every record slower to create on Python 3.6

T = TypeVar("T")
R = TypeVar("R", bound="Record")
Buffer = Union[bytes, memoryview]
Getter = Callable[[Any], Any]

# Where each raw value lies in the tuple -> how to read this one.
MakeGetter = Callable[[int, Mapping[str, int]], Getter]


class Field(Generic[T]):
    """One row: struct code, unit, meaning, where the kernel has it, and how it is read."""

    name = ""

    def __init__(
        self, code: str, unit: str, doc: str, source: str, make_getter: MakeGetter,
        json_type: str = "integer", optional: bool = False, public: bool = True, bit: int = 0,
    ) -> None:
        self.code = code
        self.unit = unit
        self.doc = doc
        self.source = source
        self.make_getter = make_getter
        self.json_type = json_type
        self.optional = optional
        self.public = public
        self.bit = bit  # of `known`; 0: the field has none

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:  # at run time Record puts a property in this row's place
        @overload
        def __get__(self, record: None, owner: type) -> "Field[T]": ...
        @overload
        def __get__(self, record: "Record", owner: type) -> T: ...
        def __get__(self, record: Any, owner: type) -> Any: ...

    @property
    def is_padding(self) -> bool:
        return self.code.endswith("x")

    def describe(self) -> str:
        """The property's docstring."""
        unit = " Unit: %s." % self.unit if self.unit else ""
        unknown = " None where it is not known." if self.optional else ""
        return "%s.%s%s Source: %s." % (self.doc, unit, unknown, self.source)


class Place(NamedTuple):
    """Where a field lies in the C struct, in bytes."""

    name: str
    offset: int
    size: int


def number(code: str, unit: str, doc: str, source: str, public: bool = True) -> Field[int]:
    """A number that is always known."""
    return Field(code, unit, doc, source, lambda place, places: itemgetter(place), public=public)


def optional(code: str, known: int, unit: str, doc: str, source: str) -> Field[Optional[int]]:
    """A number that means something only where bit ``known`` is set in the record's ``known``."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        bits = places["known"]
        return lambda record: record[place] if record[bits] & known else None
    return Field(code, unit, doc, source, make_getter, optional=True, bit=known)


def named(code: str, names: Mapping[int, str], doc: str, source: str) -> Field[str]:
    """A number that stands for a name."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return lambda record: names[record[place]]
    return Field(code, "", doc, source, make_getter, json_type="string")


def named_or_none(
    code: str, names: Mapping[int, Optional[str]], doc: str, source: str,
) -> Field[Optional[str]]:
    """A number that stands for a name, or for 'not known'."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return lambda record: names[record[place]]
    return Field(code, "", doc, source, make_getter, json_type="string", optional=True)


def text(
    code: str, convert: Callable[[int, bytes], str], by: str, doc: str, source: str,
) -> Field[str]:
    """Bytes that ``convert`` turns into text; how, another field called ``by`` says."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        selector = places[by]
        return lambda record: convert(record[selector], record[place])
    return Field(code, "", doc, source, make_getter, json_type="string")


def optional_text(code: str, known: int, doc: str, source: str) -> Field[Optional[str]]:
    """NUL-terminated bytes that mean something only where bit ``known`` is set."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        bits = places["known"]
        return lambda record: c_text(record[place]) if record[bits] & known else None
    return Field(code, "", doc, source, make_getter, json_type="string", optional=True, bit=known)


def c_text(packed: bytes) -> str:
    """Text up to the first NUL. Bytes that are no UTF-8 show as \\xNN, so nothing is mistaken."""
    return packed.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def padding(size: int) -> Field[None]:
    """Bytes that mean nothing yet."""
    return Field("%dx" % size, "", "", "", lambda place, places: itemgetter(place), public=False)


class Names(Dict[int, str]):
    """Number -> name; a number that a newer kernel or library invented shows as itself."""

    def __missing__(self, number: int) -> str:
        return str(number)


class Record(_Raw):
    """Base of the records; see the module's docstring."""

    __slots__ = ()

    FIELDS: ClassVar[Tuple[Field[Any], ...]] = ()
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("")
    _READERS: ClassVar[Tuple[Tuple[str, Getter], ...]] = ()

    def __init_subclass__(cls) -> None:
        rows = [row for row in vars(cls).values() if isinstance(row, Field)]
        values = [row for row in rows if not row.is_padding]
        places = {row.name: place for place, row in enumerate(values)}
        readers = []
        for row in values:
            getter = row.make_getter(places[row.name], places)
            setattr(cls, row.name, property(getter, doc=row.describe()))
            if row.public:
                readers.append((row.name, getter))
        cls.FIELDS = tuple(rows)
        cls.LAYOUT = struct.Struct("=" + "".join(row.code for row in rows))
        cls._READERS = tuple(readers)

    @classmethod
    def places(cls) -> Iterator[Place]:
        """Where each field lies, padding included: what the native library's table must say too."""
        offset = 0
        for row in cls.FIELDS:
            size = struct.calcsize("=" + row.code)
            yield Place(row.name, offset, size)
            offset += size

    @classmethod
    def read(cls: Type[R], packed: Buffer) -> List[R]:
        """All records in ``packed``. Nothing in the result refers to that buffer."""
        return list(map(cls, cls.LAYOUT.iter_unpack(packed)))

    def to_dict(self) -> Dict[str, Any]:
        """The public fields by name, ready for JSON."""
        return {name: getter(self) for name, getter in self._READERS}

    def __repr__(self) -> str:
        fields = ", ".join("%s=%r" % item for item in self.to_dict().items())
        return "%s(%s)" % (type(self).__name__, fields)


def markdown(record: Type[Record]) -> str:
    """The documentation table of a record's public fields."""
    lines = ["| name | JSON type | unit | meaning | from |", "| --- | --- | --- | --- | --- |"]
    for row in record.FIELDS:
        if row.public:
            json_type = row.json_type + (" or null" if row.optional else "")
            lines.append("| `%s` | %s | %s | %s | %s |" % (
                row.name, json_type, row.unit, row.doc, row.source))
    return "\n".join(lines) + "\n"
