"""Listing tracepoints: patterns, and what a format file says."""
from typing import Any, List

import pytest
from made_up_host import MadeUpHost
from retrans_ctypes.doctor.tracepoints import fields, tracepoints

FORMAT = """name: tcp_retransmit_skb
ID: 1460
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:const void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:40;\tsize:4;\tsigned:1;
\tfield:unsigned long args[6][2];\toffset:48;\tsize:96;
\tfield:char buf[];\toffset:144;\tsize:0;\tsigned:0;
\tfield:broken;\toffset:x;

print fmt: "field:int fake;\toffset:8;\tsize:8;"
"""


@pytest.fixture
def host(tmp_path: Any) -> MadeUpHost:
    made = MadeUpHost(tmp_path)
    for name in ("tcp/tcp_retransmit_skb", "tcp/tcp_probe", "sock/inet_sock_set_state"):
        made.write("events/%s/format" % name, FORMAT)
    made.write("events/tcp/enable", "0")
    made.write("events/header_page", "")
    return made


def test_fields() -> None:
    found = list(fields(FORMAT))
    assert [tuple(field) for field in found] == [
        ("common_type", "unsigned short", 0, 2, False), ("common_pid", "int", 4, 4, True),
        ("skbaddr", "const void *", 8, 8, False), ("saddr", "__u8[4]", 32, 4, False),
        ("name", "__data_loc char[]", 40, 4, True), ("args", "unsigned long[6][2]", 48, 96, None),
        ("buf", "char[]", 144, 0, False)]
    assert [field.common for field in found] == [True, True, False, False, False, False, False]


@pytest.mark.parametrize("pattern, names", [
    ("tcp:*", ["tcp:tcp_probe", "tcp:tcp_retransmit_skb"]), ("tcp:tcp_probe", ["tcp:tcp_probe"]),
    ("*:*", ["sock:inet_sock_set_state", "tcp:tcp_probe", "tcp:tcp_retransmit_skb"]),
    ("*retransmit*", ["tcp:tcp_retransmit_skb"]), ("tcp_prob[a-f]", ["tcp:tcp_probe"]),
    ("TCP:*", []), ("tcp:", []), ("", []), ("../*:*", []), ("tcp:../sock/*", []),
])
def test_patterns(host: MadeUpHost, pattern: str, names: List[str]) -> None:
    assert ["%s:%s" % (each.group, each.name) for each in tracepoints(host.top, pattern)] == names


def test_what_is_told_of_each(host: MadeUpHost) -> None:
    told = tracepoints(host.top, "tcp:tcp_probe")[0].to_dict()
    assert (told["id"], told["problem"], len(told["fields"])) == (1460, None, 7)
    assert told["fields"][0] == {"name": "common_type", "type": "unsigned short", "offset": 0, "size": 2, "signed": False}


def test_a_format_that_cannot_be_read(host: MadeUpHost) -> None:
    host.write("events/odd/nothing/enable", "")
    host.write("events/odd/damaged/format", b"\xff\0garbage")
    damaged, nothing = tracepoints(host.top, "odd:*")
    assert (damaged.id, damaged.fields, damaged.problem) == (None, (), None)
    assert (nothing.fields, nothing.problem) == ((), "no such file or directory")


def test_no_tracefs(tmp_path: Any) -> None:
    assert tracepoints(str(tmp_path), "*:*") == []
