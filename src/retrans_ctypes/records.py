"""Fixed-layout records, described once.

A ``Record`` subclass is its own table: each ``Field`` in the class body is one row of the C struct,
in the struct's order. From the rows come the struct format, the properties, ``to_dict()`` and the
documentation, so there is nothing to keep in step by hand.

A ``PackedRecord`` is a copy of the struct's bytes, with names: making one costs one small object, and
values are unpacked only when they are asked for.
"""

import struct
import sys
from itertools import starmap
from operator import itemgetter
from typing import (
    TYPE_CHECKING, Any, Callable, ClassVar, Dict, Generic, Iterator, List, Mapping, NamedTuple,
    Optional, Sequence, Tuple, Type, TypeVar, Union, overload,
)

T = TypeVar("T")
R = TypeVar("R", bound="PackedRecord")
Buffer = Union[bytes, bytearray, memoryview]
Getter = Callable[[Any], Any]

# Where this value lies in the record, and where all of them lie -> how to read this one.
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


def reader(code: str, place: int) -> Getter:
    """Reads the number that lies at ``place``, as quickly as Python can."""
    if code == "B":
        return itemgetter(place)
    unpack = struct.Struct("=" + code).unpack_from
    return lambda record: unpack(record, place)[0]


def number(code: str, unit: str, doc: str, source: str, public: bool = True) -> Field[int]:
    """A number that is always known."""
    return Field(
        code, unit, doc, source, lambda place, places: reader(code, place), public=public)


def optional(code: str, known: int, unit: str, doc: str, source: str) -> Field[Optional[int]]:
    """A number that means something only where bit ``known`` is set in the record's ``known``."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        byte, mask = _byte_of(known, places["known"])
        if code == "B":
            return lambda record: record[place] if record[byte] & mask else None
        unpack = struct.Struct("=" + code).unpack_from
        return lambda record: unpack(record, place)[0] if record[byte] & mask else None
    return Field(code, unit, doc, source, make_getter, optional=True, bit=known)


def named(names: Mapping[int, str], doc: str, source: str) -> Field[str]:
    """A byte that stands for a name."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return lambda record: names[record[place]]
    return Field("B", "", doc, source, make_getter, json_type="string")


def named_or_none(
    names: Mapping[int, Optional[str]], doc: str, source: str,
) -> Field[Optional[str]]:
    """A byte that stands for a name, or for 'not known'."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return lambda record: names[record[place]]
    return Field("B", "", doc, source, make_getter, json_type="string", optional=True)


def optional_text(size: int, known: int, doc: str, source: str) -> Field[Optional[str]]:
    """NUL-terminated bytes that mean something only where bit ``known`` is set."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        byte, mask = _byte_of(known, places["known"])
        part = slice(place, place + size)
        return lambda record: c_text(record[part]) if record[byte] & mask else None
    return Field("%ds" % size, "", doc, source, make_getter, json_type="string", optional=True, bit=known)


def _byte_of(bit: int, place: int) -> Tuple[int, int]:
    """In which byte of the 64-bit number at ``place`` a bit lies, and as which bit of that."""
    byte, shift = divmod(bit.bit_length() - 1, 8)
    return place + (byte if sys.byteorder == "little" else 7 - byte), 1 << shift


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


class Record:
    """Base of the records; see the module's docstring."""

    __slots__ = ()

    FIELDS: ClassVar[Tuple[Field[Any], ...]] = ()
    _READERS: ClassVar[Tuple[Tuple[str, Getter], ...]] = ()

    def __init_subclass__(cls) -> None:
        rows = [row for row in vars(cls).values() if isinstance(row, Field)]
        where = cls._lay_out(rows)
        readers = []
        for row in rows:
            if row.is_padding:
                continue
            getter = row.make_getter(where[row.name], where)
            setattr(cls, row.name, property(getter, doc=row.describe()))
            if row.public:
                readers.append((row.name, getter))
        cls.FIELDS = tuple(rows)
        cls._READERS = tuple(readers)

    @classmethod
    def _lay_out(cls, rows: Sequence[Field[Any]]) -> Dict[str, int]:
        """Where each row's value lies: its number."""
        return {row.name: place for place, row in enumerate(rows)}

    def to_dict(self) -> Dict[str, Any]:
        """The public fields by name, ready for JSON."""
        return {name: getter(self) for name, getter in self._READERS}

    def __repr__(self) -> str:
        fields = ", ".join("%s=%r" % item for item in self.to_dict().items())
        return "%s(%s)" % (type(self).__name__, fields)

    __str__ = __repr__


def _places(rows: Sequence[Field[Any]]) -> Iterator[Place]:
    offset = 0
    for row in rows:
        size = struct.calcsize("=" + row.code)
        yield Place(row.name, offset, size)
        offset += size


class PackedRecord(Record, bytes):
    """A record that is the C struct's bytes."""

    __slots__ = ()

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("")
    _WHOLE: ClassVar[struct.Struct] = struct.Struct("")

    @classmethod
    def _lay_out(cls, rows: Sequence[Field[Any]]) -> Dict[str, int]:
        cls.LAYOUT = struct.Struct("=" + "".join(row.code for row in rows))
        cls._WHOLE = struct.Struct("%ds" % cls.LAYOUT.size)
        return {place.name: place.offset for place in _places(rows)}

    @classmethod
    def places(cls) -> Iterator[Place]:
        """Where each field lies, padding included: what the native library's table must say too."""
        return _places(cls.FIELDS)

    @classmethod
    def read(cls: Type[R], packed: Buffer) -> List[R]:
        """All records in ``packed``. Nothing in the result refers to that buffer."""
        return list(starmap(cls, cls._WHOLE.iter_unpack(packed)))

    @classmethod
    def picking(cls, *names: str) -> struct.Struct:
        """Unpacks these fields, in the struct's order, and nothing else: for loops over very many. What is
        not known is there as whatever number it has, so ``known`` has to be asked."""
        return struct.Struct("=" + "".join(
            row.code if row.name in names else "%dx" % struct.calcsize("=" + row.code)
            for row in cls.FIELDS))

    # In the order of the fields' values: by time first.
    def __lt__(self, other: Any) -> bool:
        return self.LAYOUT.unpack(self) < self.LAYOUT.unpack(other)

    def __le__(self, other: Any) -> bool:
        return self.LAYOUT.unpack(self) <= self.LAYOUT.unpack(other)

    def __gt__(self, other: Any) -> bool:
        return self.LAYOUT.unpack(self) > self.LAYOUT.unpack(other)

    def __ge__(self, other: Any) -> bool:
        return self.LAYOUT.unpack(self) >= self.LAYOUT.unpack(other)


def markdown(record: Type[Record]) -> str:
    """The documentation table of a record's public fields."""
    lines = ["| name | JSON type | unit | meaning | from |", "| --- | --- | --- | --- | --- |"]
    for row in record.FIELDS:
        if row.public:
            json_type = row.json_type + (" or null" if row.optional else "")
            lines.append("| `%s` | %s | %s | %s | %s |" % (
                row.name, json_type, row.unit, row.doc, row.source))
    return "\n".join(lines) + "\n"
