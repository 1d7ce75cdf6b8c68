"""Fixed-layout records, described once.

A ``Record`` subclass is its own table: each ``Field`` in the class body is one row of the C struct,
in the struct's order. From the rows come the struct format, the properties, ``to_dict()`` and the
documentation, so there is nothing to keep in step by hand.

A ``PackedRecord`` is a copy of the struct's bytes, with names: making one costs one small object, and
values are unpacked only when they are asked for.
"""

import re
import struct
import sys
from itertools import starmap
from operator import itemgetter
from typing import (
    TYPE_CHECKING, Any, Callable, ClassVar, Dict, Generic, Iterable, Iterator, List, Mapping, Match,
    NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union, overload,
)

T = TypeVar("T")
R = TypeVar("R", bound="PackedRecord")
Buffer = Union[bytes, bytearray, memoryview]
Getter = Callable[[Any], Any]

# Where this value lies in the record, and where all of them lie -> how to read this one.
MakeGetter = Callable[[int, Mapping[str, int]], Getter]

# A value as the getter gives it -> what the struct has for it. Raises ValueError or TypeError if nothing.
Pack = Callable[[Any], Any]

_ESCAPES = re.compile(rb"(?:\\x[89a-f][0-9a-f])+")  # as c_text() shows bytes that are no UTF-8


class Field(Generic[T]):
    """One row: struct code, unit, meaning, where the kernel has it, and how it is read."""

    name = ""

    def __init__(
        self, code: str, unit: str, doc: str, source: str, make_getter: MakeGetter,
        json_type: str = "integer", optional: bool = False, public: bool = True, bit: int = 0,
        pack: Optional[Pack] = None,
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
        self.pack = pack  # None: the value as it is

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
    return Field("B", "", doc, source, make_getter, json_type="string", pack=_numbers(names))


def named_or_none(
    names: Mapping[int, Optional[str]], doc: str, source: str,
) -> Field[Optional[str]]:
    """A byte that stands for a name, or for 'not known'."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return lambda record: names[record[place]]
    return Field(
        "B", "", doc, source, make_getter, json_type="string", optional=True, pack=_numbers(names))


def optional_text(size: int, known: int, doc: str, source: str) -> Field[Optional[str]]:
    """NUL-terminated bytes that mean something only where bit ``known`` is set."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        byte, mask = _byte_of(known, places["known"])
        part = slice(place, place + size)
        return lambda record: c_text(record[part]) if record[byte] & mask else None
    return Field("%ds" % size, "", doc, source, make_getter, json_type="string", optional=True, bit=known,
                 pack=lambda text: packed_text(text, size))


def _numbers(names: Mapping[int, Optional[str]]) -> Pack:
    """Name -> its number; what shows as a number is one."""
    numbers: Dict[Optional[str], int] = {name: number for number, name in names.items()}
    return lambda name: numbers[name] if name in numbers else int(name)


def _byte_of(bit: int, place: int) -> Tuple[int, int]:
    """In which byte of the 64-bit number at ``place`` a bit lies, and as which bit of that."""
    byte, shift = divmod(bit.bit_length() - 1, 8)
    return place + (byte if sys.byteorder == "little" else 7 - byte), 1 << shift


def c_text(packed: bytes) -> str:
    """Text up to the first NUL. Bytes that are no UTF-8 show as \\xNN, so nothing is mistaken."""
    return packed.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def packed_text(text: str, size: int) -> bytes:
    """Bytes that c_text() shows as ``text``. Raises ValueError where they are more than ``size``.

    What looks like \\xNN was one byte or four letters; it is taken for the byte where that shows the same.
    """
    packed = _ESCAPES.sub(_unescape, text.encode("utf-8"))
    if len(packed) > size or b"\0" in packed:
        raise ValueError("%r is no text of up to %d bytes" % (text, size))
    return packed


def _unescape(found: Match[bytes]) -> bytes:
    """Bytes that make a letter together were not all bytes: they would have been shown as that letter."""
    raw = bytes.fromhex(found.group().replace(b"\\x", b"").decode("ascii"))
    letters = [letter.encode("utf-8", "surrogateescape") for letter in raw.decode("utf-8", "surrogateescape")]
    return b"".join(code if len(code) == 1 else b"\\x%02x" % code[0] + code[1:] for code in letters)


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
    _PACKERS: ClassVar[Tuple[Tuple[str, int, Any, Optional[Pack]], ...]] = ()
    _KNOWN_PLACE: ClassVar[int] = 0

    @classmethod
    def _lay_out(cls, rows: Sequence[Field[Any]]) -> Dict[str, int]:
        cls.LAYOUT = struct.Struct("=" + "".join(row.code for row in rows))
        cls._WHOLE = struct.Struct("%ds" % cls.LAYOUT.size)
        valued = [row for row in rows if not row.is_padding]
        cls._PACKERS = tuple(
            (row.name, row.bit, b"" if row.code.endswith("s") else 0, row.pack) for row in valued if row.public)
        cls._KNOWN_PLACE = next((place for place, row in enumerate(valued) if row.name == "known"), 0)
        return {place.name: place.offset for place in _places(rows)}

    @classmethod
    def places(cls) -> Iterator[Place]:
        """Where each field lies, padding included: what the native library's table must say too."""
        return _places(cls.FIELDS)

    @classmethod
    def read(cls: Type[R], packed: Buffer) -> List[R]:
        """All records in ``packed``. Nothing in the result refers to that buffer. Raises ValueError where
        its end is in the middle of one."""
        if len(packed) % cls.LAYOUT.size:
            raise ValueError("%d bytes are not whole records, which have %d each: give all bytes of each" % (
                len(packed), cls.LAYOUT.size))
        return list(starmap(cls, cls._WHOLE.iter_unpack(packed)))

    @classmethod
    def picking(cls, *names: str) -> struct.Struct:
        """Unpacks these fields, in the struct's order, and nothing else: for loops over very many. What is
        not known is there as whatever number it has, so ``known`` has to be asked."""
        return struct.Struct("=" + "".join(
            row.code if row.name in names else "%dx" % struct.calcsize("=" + row.code)
            for row in cls.FIELDS))

    @classmethod
    def from_dict(cls: Type[R], fields: Mapping[str, Any]) -> R:
        """The record that to_dict() gave ``fields`` of; members besides them do not matter.

        What is not public or not known is 0 in it. Raises ValueError where a field is missing, or is
        nothing that the record can hold.
        """
        known = unknown = 0
        values: List[Any] = []
        name = ""
        try:
            for name, bit, zero, pack in cls._PACKERS:
                value = fields[name]
                if bit and value is None:
                    unknown |= bit
                    value = zero
                else:
                    known |= bit
                    if pack is not None:
                        value = pack(value)
                values.append(value)
        except KeyError:
            raise ValueError("it has no '%s'" % name)
        except (AttributeError, OSError, OverflowError, TypeError, ValueError):
            raise cls._unfit(name, value)
        if known & unknown:
            raise ValueError("of fields that are known together, some are null")
        values.insert(cls._KNOWN_PLACE, known)
        try:
            return cls(cls.LAYOUT.pack(*values))
        except struct.error:
            raise cls._unfit(*next(cls._out_of_range(values)))

    @staticmethod
    def _unfit(name: str, value: Any) -> ValueError:
        return ValueError("its '%s' cannot be %.60r" % (name, value))

    @classmethod
    def _out_of_range(cls, values: Iterable[Any]) -> Iterator[Tuple[str, Any]]:
        for row, value in zip((row for row in cls.FIELDS if not row.is_padding), values):
            try:
                struct.pack("=" + row.code, value)
            except struct.error:
                yield row.name, value

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
