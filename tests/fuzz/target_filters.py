"""Filters, as options and as arguments of Filter: what is taken means the same when it is written out and read
again, and a recording's filter takes it too."""
import os
import pickle
import shlex
from typing import Any, Iterator, List

from choices import Choices
from fake_library import event
from made_up_recording import names
from retrans_ctypes import _library
from retrans_ctypes.cli.filter_options import (
    add_filter_options, chosen_filter, recorded_filter, typed_filter,
)
from retrans_ctypes.cli.options import Parser
from retrans_ctypes.errors import UsageError
from retrans_ctypes.filter_match import RecordedFilter
from retrans_ctypes.filters import Filter
from where import scratch

MOST = 512
_LISTS = ("port", "lport", "rport", "addr", "laddr", "raddr", "pid", "cgroup", "netns", "uid", "state", "reason", "min-stall")
_ARGUMENTS = ("ports", "local_ports", "remote_ports", "address", "local", "remote", "family", "pid", "cgroup", "netns",
              "uid", "state", "reason", "min_stall_ms", "never")
_GOOD = ("80", "80,443", "8000-8099", "0", "65535", "10.0.0.0/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "fe80::1%eth0",
         "1", "4194303", "/", "/system.slice", "host", "4026531840", "root", "nobody", "ESTABLISHED", "syn_sent,close",
         "rto", "fast,TLP", "0.5", "1e11", "nan", "inf", "-1", "1_0", "\u0661", "\u00b2", "9" * 4301, " 80 ", "", ",", "80-", "-80",
         "9-1", "10.0.0.1/8", "1e-9", "010.0.0.1", "@/dev/zero", "@/", "@", "/proc/self/ns/net", "/etc/passwd", "..")
WORDS = tuple(b"\n" + name.encode("ascii") + b"=" for name in _LISTS) + tuple(
    word.encode("utf-8")[:60] for word in _GOOD if word)

_folder = scratch()
_parser = Parser("fuzz", "")
add_filter_options(_parser)
_made = event(ts_ns=1, saddr=bytes([10, 0, 0, 1]), sport=80, owner_pid=1, netns=4026531840, uid=0, reason=1, stall_us=10**6)
_named = names(cgroup="/system.slice/x", netns_name="host", user="root")


def seeds() -> Iterator[bytes]:
    yield b"\nport=80,443\n-4\nraddr=10.0.0.0/8\nnot-uid=nobody\nmin-stall=20.5"
    yield b"\naddr=@\nreason=rto,fast\nstate=syn_sent\ncgroup=/\nnetns=host"
    for name in _LISTS:
        for word in _GOOD:
            yield b"\n%s=%s" % (name.encode("ascii"), word.encode("utf-8"))
    for number in range(60):
        yield bytes([1] + [number * 41 * place % 256 for place in range(1, 60)])


def one_input(data: bytes) -> None:
    if data.startswith(b"\n"):
        _options(data.decode("utf-8", "surrogateescape"))
    else:
        _constructed(Choices(data))


def _options(text: str) -> None:
    words: List[str] = []
    if "\n-h" in text or "\n--h" in text:
        return  # that asks for help
    for line in text.split("\n")[1:]:
        name, equals, value = line.partition("=")
        if value == "@":  # a file that holds the rest of it
            value = "@" + os.path.join(_folder, "list")
            with open(value[1:], "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        words += ["--" + name, value] if equals else [line]
    try:
        options = _parser.parse_args(words)
        chosen = chosen_filter(options)
    except UsageError as error:
        assert len(str(error)) > 20
        return
    typed = typed_filter(options)
    assert (typed is None) == (not chosen), typed
    assert chosen_filter(_parser.parse_args(shlex.split(typed or ""))) == chosen, typed
    _same(chosen)
    if not any("/" in name for given in (options.netns, options.not_netns) for name in given or ()):
        assert recorded_filter(options).matcher()(_made, _named) in (True, False)


def _same(chosen: Filter) -> None:
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    _library._native_filter(chosen)
    again = {name: getattr(chosen, name) or None for name in _ARGUMENTS}
    for name in ("ports", "local_ports", "remote_ports"):
        again[name] = again[name] and ["%d-%d" % ends for ends in again[name]]
    assert Filter(**again) == chosen
    assert RecordedFilter(**dict(again, never=None)).matcher()(_made, _named) in (True, False)


def _constructed(choices: Choices) -> None:
    given = {}
    choices.byte()
    while choices.left and len(given) < 4:
        name = choices.one_of(_ARGUMENTS)
        if name == "never":
            given[name] = choices.one_of((None, Filter(), Filter(ports=1), Filter(never=Filter(uid=0)), {}, 0))
        else:
            given[name] = choices.one_of(_GOOD) if choices.byte() & 1 else choices.value()
    for kind in (Filter, RecordedFilter):
        try:
            made = kind(**given)
        except UsageError as error:
            assert len(str(error)) > 20
        else:
            if kind is Filter:
                _same(made)


every_way = one_input


def done() -> None:
    for name in os.listdir(_folder):
        os.unlink(os.path.join(_folder, name))
    os.rmdir(_folder)
