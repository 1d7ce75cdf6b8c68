"""`python3 -m retrans_ctypes` against real retransmits: columns, options, signals."""
import json
import re
import signal
import time
from typing import Any, List

import pytest
from lab import commands
from lab.counters import Counters
from lab.kernel import reports_failures
from lab.link import DEAD4, DEAD6, MAPPED, V4, V6, Lab
from lab.traffic import connected, connecting

TCP = "meta l4proto tcp"
LINE = re.compile(r"^\d\d:\d\d:\d\d +(?P<pid>\d+|-) +(?P<ip>[46]) +(?P<local>\S+) +(?P<kind>[RL])> +"
                  r"(?P<remote>\S+) +(?P<state>[A-Z0-9_-]+)(?P<rest>.*)$")


def bcc(*options: str) -> List[str]:
    return commands.module("--compat", "bcc", *options)


def lines_to(output: List[str], *remotes: str) -> List[Any]:
    """The parsed lines whose remote end is one of `remotes`; others on this host may add lines."""
    parsed = [LINE.match(line) for line in output]
    return [match for match in parsed if match and match.group("remote") in remotes]


def ended(child: commands.Child) -> List[str]:
    """End by Ctrl-C; returns stdout."""
    child.interrupt()
    code, out, err = child.end()
    assert code == 0, (out, err)
    assert "Traceback" not in "\n".join(err)
    return out


def test_columns_and_lines_as_they_happen(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(bcc()) as child:
        child.wait_tracing()
        started = time.monotonic()
        with connecting(lab.client, V4.dead, 4001) as (first,), connecting(lab.client, V6.dead, 4002), \
                connecting(lab.client, MAPPED.dead, 4003):
            port = first.getsockname()[1]
            happened = started + 1.0  # when the kernel sends the first SYN again
            child.wait_line(DEAD4 + ":4001")
            assert time.monotonic() - happened < 4.0, "a line waits in a buffer"
            child.wait_line(DEAD6 + ":4002")
            child.wait_line(DEAD4 + ":4003")
            out = ended(child)
    assert out[0] == "Tracing retransmits ... Hit Ctrl-C to end"
    assert out[1].split() == ["TIME", "PID", "IP", "LADDR:LPORT", "T>", "RADDR:RPORT", "STATE"]
    plain, six, mapped = (lines_to(out, remote)[0] for remote in (
        DEAD4 + ":4001", DEAD6 + ":4002", DEAD4 + ":4003"))
    assert (plain["ip"], six["ip"], mapped["ip"]) == ("4", "6", "4")
    assert plain["local"] == "{}:{}".format(V4.client, port)
    assert six["local"].startswith(V6.client + ":")
    assert {match["kind"] + match["state"] for match in (plain, six, mapped)} == {"RSYN_SENT"}


def test_default_columns(lab: Lab, nothing_left_behind: None) -> None:
    """What is written into a pipe: every column of the widest terminal."""
    with commands.Child(commands.module()) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4005), connecting(lab.client, V6.dead, 4006):
            child.wait_line(DEAD4 + ":4005")
            six = child.wait_line("[" + DEAD6 + "]:4006")
        out = ended(child)
    four = next(line for line in out if DEAD4 + ":4005" in line)
    titles = ["TIME", "PID", "COMM", "LADDR:LPORT", "T>", "RADDR:RPORT", "STATE", "REASON", "STALL_MS", "USER",
              "NETNS", "WORKLOAD"]
    assert out[1].split() == titles
    for line in (four, six):
        cells = line.split()
        assert cells[-6:-4] == ["SYN_SENT", "syn"] and cells[-3] == "root"
        assert 900 < float(cells[-4]) < 2000, "milliseconds since the SYN"
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3}$", cells[0])
    starts = [out[1].index(title) for title in titles]
    assert all(four[start - 1] == " " != four[start] for start in starts[1:]), four


WITH_FILES = 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"'


def test_names_of_hosts(lab: Lab, nothing_left_behind: None, tmp_path: Any) -> None:
    """The resolver has a file here and no name server; a hostile name is shown escaped."""
    (tmp_path / "nsswitch.conf").write_text("hosts: files\n")
    (tmp_path / "hosts").write_text("{} db.example\n{} \x1b[31mred\n".format(DEAD4, DEAD6))
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_FILES, str(tmp_path)]
    with commands.Child(private + commands.module("--resolve", "--utc", "-o", "time,laddr,raddr")) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4007) as (first,), connecting(lab.client, V6.dead, 4008):
            port = first.getsockname()[1]
            four = child.wait_line("db.example:4007")
            six = child.wait_line("\\x1b[31mred:4008")
        ended(child)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}Z$", four.split()[0])
    assert "{}:{}".format(V4.client, port) in four, "an address without a name stays"
    assert V6.client in six


@pytest.mark.parametrize("option, shown", [("-4", {"4"}), ("-6", {"6"})])
def test_family_options(lab: Lab, nothing_left_behind: None, option: str, shown: Any) -> None:
    remotes = (DEAD4 + ":4011", DEAD6 + ":4012", DEAD4 + ":4013")
    with commands.Child(bcc(option)) as child:
        child.wait_tracing()
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4011), connecting(lab.client, V6.dead, 4012), \
                connecting(lab.client, MAPPED.dead, 4013):
            counters.wait("TCPSynRetrans", 3)
        out = ended(child)
    matches = lines_to(out, *remotes)
    assert {match["ip"] for match in matches} == shown
    assert {match["remote"] for match in matches} == {remote for remote in remotes if ("fd77" in remote) == (shown == {"6"})}


def test_sequence_and_lossprobe(lab: Lab, nothing_left_behind: None) -> None:
    """A tail loss probe is marked L, the timer's retransmits after it R; all with one SEQ."""
    with commands.Child(bcc("-s", "-l")) as child:
        child.wait_tracing()
        with connected(lab, V4) as (client, _):
            remote = "{}:{}".format(*client.getpeername())
            lab.drop(lab.server, TCP)
            counters = Counters(lab.client)
            client.send(b"x" * 10)
            counters.wait("TCPTimeouts", 1)
            child.wait_line("R>", remote)
        out = ended(child)
    assert "SEQ" in out[1].split()
    matches = lines_to(out, remote)
    assert [match["kind"] for match in matches][:2] == ["L", "R"]
    assert len({match["rest"].strip() for match in matches}) == 1
    assert re.match(r"^\d+$", matches[0]["rest"].strip())


def test_json(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(commands.module("--json")) as child:
        child.wait_tracing()
        with connecting(lab.client, V6.dead, 4021) as (client,):
            child.wait_line('"dport":4021')
            port = client.getsockname()[1]
        out = ended(child)
    records = [json.loads(line) for line in out]  # nothing but JSON on stdout
    record = next(one for one in records if one["dport"] == 4021)
    for name, value in (("family", 6), ("saddr", V6.client), ("daddr", V6.dead), ("sport", port),
                        ("reason", "syn"), ("kind", "skb"), ("state", "SYN_SENT"), ("err", 0),
                        ("segs", 1), ("netns", lab.client.inode)):
        assert record[name] == value, name


def test_count(lab: Lab, nothing_left_behind: None) -> None:
    """One row a flow at the end, as many retransmits as the kernel counted."""
    with commands.Child(commands.module("-c")) as child:
        child.wait_tracing()
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4031) as (client,):
            local = "{}:{}".format(V4.client, client.getsockname()[1])
            counters.wait("TCPSynRetrans", 2)
        gained = counters.gained()
        out = ended(child)
    header = next(line.split() for line in out if "LADDR:LPORT" in line)
    assert header[-2:] == ["RETRANSMITS", "SEGS"]
    row = next(line.split() for line in out if DEAD4 + ":4031" in line)
    assert local in row
    assert [int(word) for word in row[-2:]] == [gained["TCPSynRetrans"], gained["RetransSegs"]]


def test_failed_attempts_show_only_with_verbose(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(bcc()) as plain, commands.Child(bcc("-v")) as verbose:
        plain.wait_tracing()
        verbose.wait_tracing()
        with connected(lab, V4) as (client, _):
            remote = "{}:{}".format(*client.getpeername())
            lab.drop(lab.server, TCP)
            counters = Counters(lab.client)
            client.send(b"x" * 10)
            lab.client.ip("link set {} down".format(lab.device))
            gained = counters.gained()  # a probe may have left before the device went down
            Counters(lab.client).wait("TCPTimeouts", 2)
        outputs = [ended(child) for child in (plain, verbose)]
    shown, all_shown = (lines_to(output, remote) for output in outputs)
    assert len(shown) <= gained["RetransSegs"] - gained["TCPRetransFail"]
    if reports_failures():
        marked = [line for line in outputs[1] if remote in line and not LINE.match(line)] or \
                 [match for match in all_shown if match["rest"].strip()]
        assert marked, outputs[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_and_lose_nothing(lab: Lab, nothing_left_behind: None, number: int) -> None:
    """The retransmit that happened just before the signal is still printed."""
    with commands.Child(bcc()) as child:
        child.wait_tracing()
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4041):
            counters.wait("TCPSynRetrans", 1)
            child.interrupt(number)
            asked = time.monotonic()
            code, out, err = child.end()
            assert time.monotonic() - asked < 4.0
            sent = counters.gained()["TCPSynRetrans"]  # the next one comes a second or two after the first
    assert code == 0, err
    assert 1 <= len(lines_to(out, DEAD4 + ":4041")) <= sent


def test_duration(nothing_left_behind: None) -> None:
    with commands.Child(commands.module("--duration", "2")) as child:
        child.wait_tracing()
        began = time.monotonic()
        code, _, err = child.end()
        assert 1.0 < time.monotonic() - began < 6
    assert code == 0, err
