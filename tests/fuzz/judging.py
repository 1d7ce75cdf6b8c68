"""What the command line may do with bad input, whatever that is: end with a code of docs/exit-codes.md and one
sentence, and write nothing that a terminal, a browser or a parser would obey."""
import io
import json
import os
import re
import sys
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from retrans_ctypes import cli

_TAGS = set("html head meta title style body header h1 h2 h3 p dl dt dd div section ul li b table thead tbody tr th td"
            " span svg rect script".split())
_ATTRIBUTES = set("lang charset http-equiv content name class id role aria-label style viewbox preserveaspectratio scope"
                  " x y width height fill type".split())
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_METRIC = re.compile(r'(?:# .*|[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\]|\\[\\n"])*",?)*\})? \S+)\Z')
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")


class Ran(NamedTuple):
    arguments: Sequence[str]
    code: int
    out: bytes
    err: str


def run(*arguments: str) -> Ran:
    """The command line, in this process."""
    err = io.StringIO()
    with gathered() as out:
        before, sys.stderr = sys.stderr, err
        try:
            code = cli.main(list(arguments))
        except SystemExit as ended:  # --help
            code = int(ended.code or 0)
        finally:
            sys.stderr = before
    return Ran(arguments, code, bytes(out), err.getvalue())


@contextmanager
def gathered() -> Iterator[bytearray]:
    """What is written to standard output meanwhile."""
    gathered = bytearray()
    kept, file = os.dup(1), os.memfd_create("out")
    os.dup2(file, 1)
    try:
        yield gathered
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        gathered += os.pread(file, os.fstat(file).st_size, 0)
        os.close(file)


def judge(ran: Ran, codes: Sequence[int] = (0, 2, 7)) -> None:
    """That it ended as it may."""
    assert ran.code in codes, ran
    sentences = [line for line in ran.err.splitlines() if line.startswith("retrans_ctypes: ")]
    assert len(sentences) == (0 if ran.code == 0 else 1), ran
    assert all(len(sentence) > 30 for sentence in sentences), ran
    harmless(ran.err)


def harmless(text: str, colours: bool = False) -> None:
    """That a terminal only shows it."""
    if colours:
        text = _COLOUR.sub("", text)
    bad = [letter for letter in text if letter != "\n" and not letter.isprintable()]
    assert not bad, (bad[:5], text[:2000])


def json_lines(data: bytes) -> List[Any]:
    """That each line is an object which any parser takes."""
    harmless(data.decode("ascii"))
    return [strict_json(line) for line in data.splitlines()]


def strict_json(text: Any) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError("%s is no JSON" % name)
    return json.loads(text, parse_constant=refuse)


def metrics(text: str) -> None:
    harmless(text)
    for line in text.splitlines():
        assert _METRIC.match(line), line


def markdown(text: str) -> None:
    """That text of a host is text there: no tag, link or picture."""
    harmless(text)
    rest = re.sub(r"\\.", "", _CODE.sub("", text))
    assert not re.search(r"<|\]\(|!\[|://", rest), rest


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        assert tag in _TAGS, (tag, attributes)
        assert {name for name, _ in attributes} <= _ATTRIBUTES, (tag, attributes)
        self.scripts += tag == "script"

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment: " + data)


def html(text: str) -> None:
    """That it has no tag, attribute or script but our own."""
    harmless(text)
    page = _Page()
    page.feed(text)
    page.close()
    assert page.scripts <= 3, page.scripts


def fields(given: Dict[str, Any], same: Optional[Any] = None) -> None:
    """That they can be written as JSON, and are the same when read."""
    text = json.dumps(given)
    text.encode("ascii")
    assert json.loads(text) == (given if same is None else same)
