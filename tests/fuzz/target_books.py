"""Ledgers, counts and stats from JSON that nobody counted."""
import json
from typing import Any, Iterator

import judging
from choices import Choices
from made_up_recording import LEDGER, STATS, session
from retrans_ctypes.cli.recorded import about, account_for, details
from retrans_ctypes.ledger import Ledger
from retrans_ctypes.recording.session import make_session
from retrans_ctypes.report import Gathered, facts, render
from retrans_ctypes.report.story import tell_story
from retrans_ctypes.sinks.printable import printable
from retrans_ctypes.stats import Stats

MOST = 4096
WORDS = tuple(b'"%s":' % name.encode("ascii") for name in (*LEDGER["namespaces"][0], *STATS, "total", "namespaces", "why")) + (
    b"null", b"true", b"1e400", b"NaN", b"-1", b"18446744073709551616", b"9" * 60, b"[]", b"{}", b"\\ud800", b"\\u001b[2J")


def seeds() -> Iterator[bytes]:
    for value in (LEDGER, dict(LEDGER, total=None, why="it is so"), STATS, {"namespaces": [], "total": {}}):
        yield json.dumps(value).encode("ascii")
    for first in range(30):
        yield bytes([1] + [first * place * 53 % 256 for place in range(1, 120)])


def one_input(data: bytes) -> None:
    try:
        value = json.loads(data.decode("utf-8")) if data[:1] == b"{" else _spoilt(Choices(data[1:]))
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        _ledger(value)
        _stats(value)
    _session(value)


every_way = one_input


def _spoilt(choices: Choices) -> Any:
    value = json.loads(json.dumps(choices.one_of((LEDGER, STATS))))
    for part in (value.get("total"), *value.get("namespaces", ())):
        if part:
            choices.spoil(part)
    choices.spoil(value)
    return value


def _ledger(value: Any) -> None:
    try:
        ledger = Ledger.from_dict(value)
    except ValueError as error:
        assert len(str(error)) > 10
        return
    assert printable(ledger.sentence()).isprintable()
    again = ledger.to_dict()
    judging.fields(again)
    assert Ledger.from_dict(again).rows == ledger.rows
    ledger.since(ledger).to_dict()


def _stats(value: Any) -> None:
    try:
        stats = Stats.from_dict(value)
    except ValueError as error:
        assert len(str(error)) > 10
        return
    assert Stats.from_dict(stats._asdict()) == stats


def _session(value: Any) -> None:
    """As the end of a recording, told in words and in each format of a report."""
    for name in ("ledger", "stats"):
        try:
            made = make_session(1, dict(session(), **{name: value}))
        except ValueError as error:
            assert len(str(error)) > 10
            continue
        for line in (about("x", made), *details(made), *account_for(made, False)):
            assert printable(line).isprintable()
        found = facts(Gathered(), [made])
        story = tell_story(found, True)
        judging.strict_json(render("json", found, story))
        judging.markdown(render("md", found, story))


def done() -> None:
    pass
