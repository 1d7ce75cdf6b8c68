"""Output: whole lines or one clear error."""
import errno
import os
import threading
from typing import Any, Iterator, Tuple

import pytest
from retrans_ctypes import OutputClosed, OutputError
from retrans_ctypes.sinks.output import Output

Pipe = Tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            pass


def test_lines_wait_for_flush(pipe: Pipe) -> None:
    output = Output(pipe[1])
    output.line("one")
    output.line("zwei \u00fc")
    os.set_blocking(pipe[0], False)
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 100)
    output.flush()
    output.flush()
    assert os.read(pipe[0], 100) == "one\nzwei \u00fc\n".encode()


def test_what_is_no_text_is_escaped(pipe: Pipe) -> None:
    output = Output(pipe[1])
    output.line("\udcff")
    output.flush()
    assert os.read(pipe[0], 100) == b"\\udcff\n"


@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_everything(pipe: Pipe, blocking: bool) -> None:
    os.set_blocking(pipe[1], blocking)
    got = []

    def read() -> None:
        while sum(map(len, got)) < 300001:
            got.append(os.read(pipe[0], 5000))

    reader = threading.Thread(target=read)
    reader.start()
    output = Output(pipe[1])
    output.line("x" * 300000)
    output.flush()
    reader.join(10)
    assert b"".join(got) == b"x" * 300000 + b"\n"


def test_bytes_come_after_the_lines_before_them(pipe: Pipe) -> None:
    output = Output(pipe[1])
    output.line("one")
    output.write(memoryview(b"two\nthree\n"))
    output.line("four")
    output.flush()
    assert os.read(pipe[0], 100) == b"one\ntwo\nthree\nfour\n"


def test_no_reader_any_more(pipe: Pipe) -> None:
    output = Output(pipe[1])
    output.check_reader()
    os.close(pipe[0])
    with pytest.raises(OutputClosed) as noticed:
        output.check_reader()
    output.line("lost")
    with pytest.raises(OutputClosed) as written:
        output.flush()
    assert noticed.value.exit_code == written.value.exit_code == 141


@pytest.mark.parametrize("kind", ["file", "null"])
def test_files_have_no_reader_to_lose(kind: str, tmp_path: Any) -> None:
    with open(os.devnull if kind == "null" else str(tmp_path / "out"), "wb") as file:
        Output(file.fileno()).check_reader()


def test_disk_full() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        output = Output(full.fileno(), "the report")
        output.line("x")
        with pytest.raises(OutputError, match="the report .*No space left.*free some space") as caught:
            output.flush()
    assert (caught.value.exit_code, caught.value.errno) == (6, errno.ENOSPC)


def test_an_output_that_is_not_open(tmp_path: Any) -> None:
    with open(os.devnull, "rb") as readable:
        output = Output(readable.fileno())
        output.line("x")
        with pytest.raises(OutputError, match="check where it goes"):
            output.flush()
