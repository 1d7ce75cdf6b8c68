"""Recordings that are NDJSON, damaged at any byte."""
from typing import Iterator

from recordings import Reading, seed_lines
from retrans_ctypes.event import Event
from retrans_ctypes.workload import Workload

MOST = 8192
WORDS = tuple(b'"%s":' % field.name.encode("ascii") for record in (Event, Workload) for field in record.FIELDS) + (
    b'{"type":"event",', b'{"type":"session",', b'{"type":"ledger",', b'{"type":"end",', b"null", b"\\ud800", b"\\u0000",
    b"1e999", b"NaN", b"-1", b"18446744073709551616", b"9223372036854775808", b"[]", b"{}")

_reading = Reading()


def seeds() -> Iterator[bytes]:
    lines = seed_lines().splitlines(True)
    yield b"".join(lines)
    yield lines[1]
    yield lines[0] + lines[-1]
    yield lines[-1]


def one_input(data: bytes) -> None:
    _reading.one_way(data, "retrans.ndjson")


def every_way(data: bytes) -> None:
    _reading.every_way(data, "retrans.ndjson")


def done() -> None:
    _reading.close()
