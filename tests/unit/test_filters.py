"""Filters that can be and that cannot: what is said about them, and what reaches the library."""
import copy
import ipaddress
import os
import pickle
from typing import Any, Dict, List

import pytest
from retrans_ctypes import Filter, FilterError, _library
from retrans_ctypes.cli.filter_options import add_filter_options, chosen_filter
from retrans_ctypes.cli.options import Parser
from retrans_ctypes.errors import UsageError


def chosen(*arguments: str) -> Filter:
    parser = Parser("test", "")
    add_filter_options(parser)
    return chosen_filter(parser.parse_args(list(arguments)))


@pytest.mark.parametrize("given, expected", [
    (443, ((443, 443),)), ("443", ((443, 443),)), ("80, 8000-8099", ((80, 80), (8000, 8099))),
    ([443, "1-2", 443], ((443, 443), (1, 2))), ((0, 65535), ((0, 0), (65535, 65535))),
    (iter(["5-5"]), ((5, 5),)),
])
def test_ports(given: Any, expected: Any) -> None:
    assert Filter(ports=given).ports == expected


@pytest.mark.parametrize("given, expected", [
    ("10.0.0.0/8", ["10.0.0.0/8"]), ("10.0.0.1", ["10.0.0.1/32"]), ("fd00::/8,::1", ["fd00::/8", "::1/128"]),
    (["::ffff:10.0.0.0/104", "::ffff:1.2.3.4"], ["10.0.0.0/8", "1.2.3.4/32"]), ("0.0.0.0/0", ["0.0.0.0/0"]),
    (ipaddress.ip_address("10.0.0.1"), ["10.0.0.1/32"]), (ipaddress.ip_network("fd00::/8"), ["fd00::/8"]),
])
def test_addresses(given: Any, expected: List[str]) -> None:
    assert [str(network) for network in Filter(remote=given).remote] == expected


def test_other_conditions() -> None:
    made = Filter(pid=os.getpid(), cgroup=[1, "2"], netns="4026531833", uid=["root", 7], state="established,Syn_Sent",
                  reason=["rto", "PMTU"], min_stall_ms=0.5, family=6)
    assert made.pid == (os.getpid(),) and made.cgroup == (1, 2) and made.netns == (4026531833,) and made.uid == (0, 7)
    assert made.state == ("ESTABLISHED", "SYN_SENT") and made.state_bits() == 0b110
    assert made.reason == ("rto", "pmtu") and made.reason_bits() == 0b10000010
    assert made.min_stall_us() == 500 and Filter(min_stall_ms=1e-9).min_stall_us() == 1
    assert made and not Filter() and Filter(never=Filter()) == Filter()
    assert Filter(netns="/proc/self/ns/net").netns == (os.stat("/proc/self/ns/net").st_ino,)


WRONG: List[Any] = [
    ({"ports": 70000}, ["70000 is no port", "65535"]), ({"ports": -1}, ["-1"]), ({"ports": "http"}, ["'http'"]),
    ({"ports": "1-70000"}, ["'70000'"]), ({"local_ports": "9-3"}, ["9-3 go down", "3-9"]),
    ({"remote_ports": []}, ["list of remote_ports is empty"]), ({"ports": True}, ["True is no port"]),
    ({"ports": 1.5}, ["1.5"]), ({"ports": {}}, ["empty"]), ({"ports": object()}, ["ports cannot be"]),
    ({"remote": "10.0.0.1/8"}, ["write 10.0.0.0/8, or 10.0.0.1 for"]), ({"local": "10.0.0.0/33"}, ["10.0.0.0/33", "192.0.2.0/24"]),
    ({"address": "fe80::1%eth0"}, ["from % on"]), ({"address": 167772161}, ["167772161 is no address"]),
    ({"address": "example.org"}, ["'example.org' is no address"]), ({"address": ""}, ["is no address"]),
    ({"family": 0}, ["IP version 0"]), ({"family": 5}, ["IP version 5"]), ({"family": "4"}, ["'4'"]),
    ({"pid": 0}, ["0 is no process"]), ({"pid": "self"}, ["'self' is no process"]), ({"pid": "\u0663"}, ["is no process"]),
    ({"uid": "no-such-user"}, ["no user no-such-user"]), ({"uid": 1 << 32}, ["is no user"]), ({"uid": "a\0"}, ["no user"]),
    ({"netns": "no-such-name"}, ["no network namespace no-such-name", "/run/netns"]), ({"netns": "/a\0"}, ["namespace"]),
    ({"netns": "/proc/self/ns/mnt"}, ["'/proc/self/ns/mnt' is no network namespace"]), ({"netns": "/etc/passwd"}, ["another file"]),
    ({"netns": ""}, ["no network namespace"]), ({"ports": "80-"}, ["'80-' is no range"]), ({"ports": "-80"}, ["'-80' is no range"]),
    ({"cgroup": 0}, ["0 is no cgroup"]), ({"cgroup": "/no/such"}, ["cgroup"]), ({"cgroup": "../../../../etc"}, ["cgroup"]),
    ({"cgroup": "/a\0"}, ["no cgroup"]),
    ({"state": "OPEN"}, ["no state 'OPEN'", "ESTABLISHED, SYN_SENT"]), ({"state": 1}, ["no state 1"]),
    ({"reason": "unknown"}, ["no reason 'unknown'", "rto, fast, tlp"]), ({"reason": None, "min_stall_ms": 0}, ["above 0"]),
    ({"min_stall_ms": float("nan")}, ["milliseconds"]), ({"min_stall_ms": "long"}, ["'long'"]),
    ({"never": {"ports": 1}}, ["never must be a Filter"]), ({"never": Filter(never=Filter(ports=1))}, ["without one of its own"]),
]


@pytest.mark.parametrize("arguments, words", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_filters_that_cannot_be(arguments: Dict[str, Any], words: List[str]) -> None:
    with pytest.raises(FilterError) as caught:
        Filter(**arguments)
    assert caught.value.exit_code == 2 and isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


@pytest.mark.parametrize("condition", ["ports", "remote", "pid", "uid", "netns", "cgroup", "state", "reason", "family"])
def test_long_values_are_not_quoted_whole(condition: str) -> None:
    """A file of values (@FILE) may have a line of megabytes."""
    with pytest.raises(FilterError) as caught:
        Filter(**{condition: "x" * 100000})
    assert len(str(caught.value)) < 1000


def test_a_long_range_of_ports_is_not_quoted_whole() -> None:
    with pytest.raises(FilterError, match="go down; write 3-9$") as caught:
        Filter(ports="%s9-%s3" % ("0" * 4000, "0" * 4000))
    assert len(str(caught.value)) < 100


def test_filters_are_immutable_and_compare_by_what_they_say() -> None:
    with pytest.raises(AttributeError):
        Filter().family = 4  # type: ignore[misc]
    assert Filter(ports="1,2") == Filter(ports=[1, 2]) and len({Filter(uid=0), Filter(uid="root")}) == 1
    made = Filter(remote="10.0.0.0/8", never=Filter(ports=1))
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == copy.copy(made) == made


def test_what_reaches_the_library() -> None:
    made = _library._native_filter(Filter(
        ports="5-6,9", remote=["10.0.0.0/8", "fd00::/16"], uid=[1, 2], cgroup=1 << 40, family=4, min_stall_ms=2,
        never=Filter(pid=7, state="LISTEN")))
    only, never = made.contents.only.contents, made.contents.never.contents
    assert [(one.first, one.last) for one in only.ports[:only.n_ports]] == [(5, 6), (9, 9)]
    assert [(bytes(one.address), one.family, one.bits) for one in only.remote[:only.n_remote]] == [
        (b"\x0a" + bytes(15), 4, 8), (b"\xfd" + bytes(15), 6, 16)]
    assert only.uids[:only.n_uids] == [1, 2] and only.cgroups[:only.n_cgroups] == [1 << 40]
    assert (only.family, only.min_stall_us, only.n_pids, only.n_local, only.states) == (4, 2000, 0, 0, 0)
    assert never.pids[:never.n_pids] == [7] and never.states == 1 << 10
    assert _library._native_filter(None) is None


def test_options(tmp_path: Any) -> None:
    assert not chosen()
    assert chosen("-6", "--port", "80,90-91", "--port", "7", "--not-rport", "22", "--min-stall", "5") == Filter(
        family=6, ports=[80, "90-91", 7], min_stall_ms=5, never=Filter(remote_ports=22))
    listed = tmp_path / "list"
    listed.write_bytes(b"\xef\xbb\xbf10.0.0.0/8  # ours\r\n\r\n# nothing\n2001:db8::/32")
    assert chosen("--raddr", "@%s" % listed, "--raddr", "1.2.3.4,1.2.3.5", "--not-addr", "::1") == Filter(
        remote=["10.0.0.0/8", "2001:db8::/32", "1.2.3.4", "1.2.3.5"], never=Filter(address="::1"))
    assert chosen("--uid", "root", "--pid", "1,2", "--state", "close", "--reason", "rto,fast", "--lport", "1",
                  "--laddr", "::1", "--netns", "1", "--cgroup", "3") == Filter(
        uid=0, pid=[1, 2], state="CLOSE", reason=["rto", "fast"], local_ports=1, local="::1", netns=1, cgroup=3)


def test_options_that_cannot_be(tmp_path: Any) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    for arguments, words in (
            (["--raddr", "@/nowhere"], "/nowhere cannot be read (No such file"),
            (["--raddr", "@/dev/zero"], "/dev/zero is too long"),
            (["--raddr", "@%s" % tmp_path], "cannot be read"), (["--addr", "@%s" % empty], "list of address is empty"),
            (["--not-min-stall", "1", "--not-min-stall", "2"], "--not-min-stall is given twice"),
            (["--not-state", "x"], "no state 'x'"), (["--port", ""], "'' is no port")):
        with pytest.raises(FilterError) as caught:
            chosen(*arguments)
        assert words in str(caught.value)


def test_ten_thousand_networks() -> None:
    networks = ["10.%d.%d.0/24" % divmod(number, 256) for number in range(10000)]
    assert len(Filter(remote=networks).remote) == 10000


@pytest.mark.parametrize("arguments", [
    {"remote": True}, {"min_stall_ms": 10**400}, {"pid": "9" * 5000}, {"cgroup": "9" * 5000}, {"uid": "9" * 5000}])
def test_odd_values_are_refused_in_one_sentence(arguments: Dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        Filter(**arguments)


@pytest.mark.parametrize("option", ["--addr=--", "--port=--", "--uid=--", "--min-stall=--"])
def test_no_option_takes_two_dashes_for_a_value(option: str) -> None:
    """Some releases of Python's argparse give an empty list for it."""
    with pytest.raises(UsageError):
        chosen(option)


def test_a_list_of_addresses_with_a_name_that_cannot_be() -> None:
    with pytest.raises(FilterError, match="cannot be read"):
        chosen("--addr", "@a\0b")
