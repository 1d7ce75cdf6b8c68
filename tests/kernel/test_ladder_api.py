"""The C API's new options and capabilities, called as programs do that know more or less of them."""
import ctypes
import errno
from typing import Any, Iterator, List, Tuple

import pytest
from lab import rights
from retrans_ctypes._abi import NativeCapabilities, Options

BEFORE_ATTACH = Options.attach.offset  # what programs made for the first release know


@pytest.fixture
def library(nothing_left_behind: None) -> Any:
    return ctypes.CDLL(rights.LIBRARY)


def opened(library: Any, size: int = ctypes.sizeof(Options), **values: Any) -> Tuple[int, str, ctypes.c_void_p]:
    """What tcpretrans_open() returns, says and gives."""
    text = ctypes.create_string_buffer(512)
    handle = ctypes.c_void_p(1)
    options = Options(size=size, error=ctypes.cast(text, ctypes.c_void_p).value, error_size=len(text), **values)
    code = library.tcpretrans_open(ctypes.byref(options), ctypes.byref(handle))
    return code, text.value.decode(), handle


@pytest.fixture
def handles(library: Any) -> Iterator[List[Any]]:
    made: List[Any] = []
    yield made
    for handle in made:
        library.tcpretrans_close(handle)


@pytest.mark.parametrize("field, value", [("attach", 5), ("attach", 2**32 - 1), ("buffer", 3), ("buffer", 2**32 - 1)])
def test_no_such_way(library: Any, field: str, value: int) -> None:
    code, text, handle = opened(library, **{field: value})
    assert code == -errno.EINVAL and handle.value is None
    assert str(value) in text and "there is no " in text


def test_a_way_without_a_text_to_put_it_in(library: Any) -> None:
    options = Options(size=ctypes.sizeof(Options), attach=9)
    handle = ctypes.c_void_p()
    assert library.tcpretrans_open(ctypes.byref(options), ctypes.byref(handle)) == -errno.EINVAL


def test_options_of_a_program_that_knows_no_ways(library: Any, handles: List[Any]) -> None:
    """What lies behind the size it gives is not looked at."""
    code, text, handle = opened(library, size=BEFORE_ATTACH, attach=77, buffer=77, btf=b"/nowhere")
    assert code == 0, text
    handles.append(handle)


def test_options_of_a_newer_program(library: Any, handles: List[Any]) -> None:
    class Newer(ctypes.Structure):
        _fields_ = [("known", Options), ("more", ctypes.c_uint64)]

    for more, expected in ((0, 0), (1, -errno.E2BIG)):
        newer = Newer(known=Options(size=ctypes.sizeof(Newer)), more=more)
        handle = ctypes.c_void_p()
        assert library.tcpretrans_open(ctypes.byref(newer), ctypes.byref(handle)) == expected
        handles.append(handle)


@pytest.mark.parametrize("size", [0, 4, 8, 16, ctypes.sizeof(NativeCapabilities), 200])
def test_capabilities_of_any_size(library: Any, handles: List[Any], size: int) -> None:
    """As much as the caller knows, nothing behind it, and zeros where the library knows less."""
    code, text, handle = opened(library, attach=2, buffer=2)
    assert code == 0, text
    handles.append(handle)
    whole = NativeCapabilities()
    library.tcpretrans_capabilities(handle, ctypes.byref(whole), ctypes.c_size_t(ctypes.sizeof(whole)))
    assert (whole.attach, whole.buffer) == (2, 2) and whole.can and whole.known
    room = ctypes.create_string_buffer(b"\xaa" * 256, 256)
    assert library.tcpretrans_capabilities(handle, room, ctypes.c_size_t(size)) == 0
    expected = bytes(whole)[:size]
    assert room.raw == expected + b"\0" * (size - len(expected)) + b"\xaa" * (256 - size)


def test_notes_end_lines(library: Any, handles: List[Any]) -> None:
    library.tcpretrans_notes.restype = ctypes.c_char_p
    code, text, handle = opened(library, attach=2)
    assert code == 0, text
    handles.append(handle)
    notes = library.tcpretrans_notes(handle).decode()
    assert notes.endswith("\n") and all(": " in line for line in notes.splitlines())
