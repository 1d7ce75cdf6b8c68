"""Recordings that are SQLite databases, damaged at any byte."""
import os
from typing import Iterator

from recordings import Reading, seed_database

MOST = 16384
WORDS = (b"SQLite format 3\0", b"CREATE TABLE ", b"event", b"session", b"names", b"rtrs")

_reading = Reading()


def seeds() -> Iterator[bytes]:
    for size in (512, 1024):
        yield seed_database(os.path.join(_reading.folder, "seed-%d" % size), size)


def one_input(data: bytes) -> None:
    _reading.one_way(data, "retrans.db")


def every_way(data: bytes) -> None:
    _reading.every_way(data, "retrans.db")


def done() -> None:
    _reading.close()
