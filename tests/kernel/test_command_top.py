"""`top` on a terminal, with real retransmits: what a person sees, and what is left when it ends."""
import os
import re
import signal
import threading
from typing import Any, Callable, Dict, List

import pytest
from lab import commands
from lab.link import DEAD4, V4, Lab
from lab.screen import Screen, top
from lab.tcp_info import tcp_info
from lab.traffic import connected, connecting, swallow, wait_acknowledged

PORT = 4301
REMOTE = "{}:{}".format(DEAD4, PORT)
ESCAPE = re.compile(r"\x1b")


def of(lab: Lab) -> List[str]:
    """The options that leave out what else happens on this host."""
    return ["--netns", "{},{}".format(lab.client.inode, lab.server.inode)]


@pytest.fixture
def no_rich(tmp_path: Any) -> str:
    """A PYTHONPATH with which rich cannot be imported."""
    (tmp_path / "rich.py").write_text("raise ImportError('hidden by a test')\n")
    return "{}:{}".format(tmp_path, os.environ["PYTHONPATH"])


def left(screen: Screen, code: int = 0) -> str:
    """What stands on the first screen after the end."""
    assert screen.end() == code, screen.text
    assert screen.as_before
    return " ".join(screen.text.replace("\n", "").split())


def test_a_flow_its_events_and_back(lab: Lab, nothing_left_behind: None) -> None:
    with connecting(lab.client, V4.dead, PORT, count=2), connecting(lab.client, V4.dead, PORT + 1), \
            top(*of(lab), columns=132) as screen:
        text = screen.wait(lambda text: text.count(REMOTE) >= 2 and re.search(r" [12]\.\ds ", text), "flows")
        assert re.search(r"retrans top +{} +up 0:00:0".format(re.escape(os.uname().nodename)), text)
        assert re.search(r"^ FLOW +OWNER +SEG/S\* +TOTAL +RATIO +STALL +WORST +WHY", text, re.M)
        assert re.search(r"^>10\.77\.0\.1:\d+ -> 10\.77\.0\.\d+:430[12] +python\S* \({}\) +\d\.\d +\d +- +\d\.\ds +\d\.\ds "
                         r"S+".format(os.getpid()), text, re.M), text
        screen.press("/", *":4302", "enter")
        screen.wait(lambda text: "with ':4302'" in text and REMOTE not in text and text.count(":4302") == 2, "filtered")
        screen.press("enter")
        text = screen.wait(lambda text: "SYN_SENT" in text, "events")
        assert re.search(r"^\d\d:\d\d:\d\d\.\d+ +\d+ +python.* R> +{}:4302 +SYN_SENT +syn +1\d\d\d\.\d\d\d".format(DEAD4), text, re.M)
        screen.press("escape")
        screen.wait(lambda text: "with ':4302'" in text, "flows again")
        screen.press("escape")
        screen.wait(lambda text: "with" not in text, "all flows")
        screen.press("2")
        screen.wait(lambda text: re.search(r"REMOTE.*\n>{} +3 ".format(DEAD4), text), "remotes")
        screen.press("q")
        after = left(screen)
    assert re.search(r"\d+ events, \d+ segments, 0 failed", after) and "ledger: kernel" in after


def test_ratio_is_the_kernels(lab: Lab, nothing_left_behind: None) -> None:
    """Bytes sent again of all, beside what the socket itself tells, and the reasons' colours."""
    with top(*of(lab), columns=110) as screen, connected(lab, V4) as (client, server):
        sink = threading.Thread(target=swallow, args=(server,), daemon=True)
        sink.start()
        screen.wait(lambda text: "seg/s" in text, "screen")
        lab.lose(lab.server, 100)
        while tcp_info(client)["bytes_retrans"] * 50 < tcp_info(client)["bytes_sent"]:
            client.sendall(bytes(1 << 18))
        lab.heal(lab.server)
        wait_acknowledged(client)
        lab.drop(lab.server, "meta l4proto tcp")
        client.sendall(b"so that the last retransmit knows of all that was sent")
        screen.wait(lambda text: shows_ratio(text, tcp_info(client)), "ratio of {}".format(tcp_info(client)))
        assert re.search(rb"\x1b\[[0-9;]*3[07];4[1-7]m", screen.raw), "letters on a colour"
        screen.press("q")
        left(screen)
        lab.heal(lab.server)
        client.close()
        sink.join(15)


def shows_ratio(text: str, told: Dict[str, int]) -> bool:
    """The first row has that ratio, rounded to a tenth of a percent."""
    found = re.search(r"^>.* ([0-9.]+)% ", text, re.M)
    return found is not None and abs(float(found.group(1)) - 100 * told["bytes_retrans"] / told["bytes_sent"]) < 0.1


def test_pause_holds_the_screen_and_counts_on(lab: Lab, nothing_left_behind: None) -> None:
    with top(*of(lab)) as screen:
        screen.wait(lambda text: "second (0)" in text, "screen")
        screen.press("p")
        screen.wait(lambda text: "PAUSED" in text, "pause")
        with connecting(lab.client, V4.dead, PORT):
            lab.client.run(["sleep", "1.6"])
            assert "PAUSED  flows by segments a second (0)" in screen.text
            screen.press("p")
            screen.wait(lambda text: REMOTE in text and "PAUSED" not in text, "flow")
        screen.press("r")
        screen.wait(lambda text: REMOTE not in text and " 0 segments" in text, "nothing")
        screen.press("q")
        left(screen)


def test_without_rich(lab: Lab, nothing_left_behind: None, no_rich: str) -> None:
    """The same screen in plain text."""
    with connecting(lab.client, V4.dead, PORT), top(*of(lab), columns=40, lines=12, PYTHONPATH=no_rich) as screen:
        text = screen.wait(lambda text: ">{}:{}".format(DEAD4, PORT) in text, "flow")
        assert text.splitlines()[3].split() == ["FLOW", "SEG/S*", "RATIO"]
        assert set(re.findall(rb"\x1b\[[0-9;]*m", screen.raw)) == {b"\x1b[0m"}
        screen.press("enter")
        screen.wait(lambda text: re.search(r"STALL_MS.*\n(.*\n)*\d\d:\d\d:\d\d\.\d+ +syn +1\d\d\d\.", text), "events")
        screen.press("q")
        left(screen)


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_another_size(lab: Lab, nothing_left_behind: None, columns: int, locale: str) -> None:
    with connecting(lab.client, V4.dead, PORT), top(*of(lab), lines=30, LANG=locale) as screen:
        screen.wait(lambda text: DEAD4 in text, "flow")
        screen.resize(columns, 10)
        text = screen.wait(lambda text: text.splitlines()[3].split()[:1] == ["FLOW"] and
                           text.splitlines()[-1].startswith("q quit"), "low screen, down to its last line")
        assert ("OWNER" in text) == (columns == 200) and ("TOTAL" in text) == (columns > 40)
        assert locale != "C" or text.encode("ascii")
        screen.press("q")
        left(screen)


@pytest.mark.parametrize("end", [
    lambda screen: screen.press("interrupt"), lambda screen: screen.process.send_signal(signal.SIGTERM),
    lambda screen: screen.process.send_signal(signal.SIGHUP), lambda screen: screen.press("?", "q")])
def test_every_end_restores_the_terminal(
    lab: Lab, nothing_left_behind: None, end: Callable[[Screen], None],
) -> None:
    with top(*of(lab)) as screen:
        screen.wait(lambda text: "seg/s" in text, "screen")
        assert not screen.as_before
        end(screen)
        assert "ledger:" in left(screen)


def test_duration_and_keys_from_nowhere(nothing_left_behind: None) -> None:
    """With stdin from /dev/null it draws, and ends by itself."""
    argv = commands.module("top", "--duration", "1.5")
    with Screen(["sh", "-c", 'exec "$@" < /dev/null', "sh"] + argv) as screen:
        screen.wait(lambda _: b"seg/s" in screen.raw, "screen")  # which may be over by the time it is read
        screen.press("x")  # the terminal itself shows it, and nothing else happens
        assert "ledger:" in left(screen)


def test_stop_and_go_on(nothing_left_behind: None) -> None:
    """Ctrl-Z gives the shell its terminal back; fg draws again."""
    with Screen(["bash", "--norc", "--noprofile", "-i"], PS1="shell> ") as screen:
        screen.wait(lambda text: "shell>" in text, "shell")
        screen.press(*" ".join(commands.module("top")), "enter")
        screen.wait(lambda text: "seg/s" in text, "screen")
        screen.press("suspend")
        screen.wait(lambda text: "Stopped" in text and "seg/s" not in text, "shell")
        assert screen.raw.rfind(b"\x1b[?1049l") > screen.raw.rfind(b"\x1b[?1049h")
        screen.press(*"stty -a; fg", "enter")
        screen.wait(lambda text: "seg/s" in text, "screen again")
        assert b" icanon" in screen.raw and b" -icanon" not in screen.raw
        screen.press("q")
        screen.wait(lambda text: "ledger:" in text and text.rstrip().endswith("shell>"), "end")
        screen.press(*"exit", "enter")
        assert screen.end() == 0


@pytest.mark.parametrize("options, tables", [(["--once"], 1), (["--duration", "4.4"], 3)])
def test_into_a_pipe(lab: Lab, nothing_left_behind: None, options: List[str], tables: int) -> None:
    """Tables without cursor codes, the last one with all that was seen."""
    with connecting(lab.client, V4.dead, PORT), connecting(lab.client, V4.dead, PORT + 1):
        code, out, err = commands.run(commands.module("top", "--interval", "2.2", *options, *of(lab), "--by", "rport"))
    text = "\n".join(out)
    assert code == 0, err
    assert not ESCAPE.search(text + "\n".join(err))
    assert sum(line.startswith(" REMOTE PORT") for line in out) in (max(1, tables - 1), tables)
    last = text[text.rindex("REMOTE PORT"):]
    assert re.search(r"^ 4301 +1 +\d", last, re.M) and re.search(r"^ 4302 +1 +\d", last, re.M), text
    assert err[-2].startswith("ledger:")


def test_a_dumb_terminal(lab: Lab, nothing_left_behind: None) -> None:
    with top("--once", *of(lab), TERM="dumb") as screen:
        assert screen.end() == 0
        assert not ESCAPE.search(screen.raw.decode())
        assert "FLOW" in screen.text


def test_strange_names(lab: Lab, nothing_left_behind: None, tmp_path: Any) -> None:
    """A process that calls itself what a terminal or rich would obey."""
    name = b"\x1b[2J[red]\n'"
    script = ("import ctypes, socket, time\nctypes.CDLL(None).prctl(15, {!r}, 0, 0, 0)\nmade = socket.socket()\n"
              "made.settimeout(4)\ntry:\n    made.connect(({!r}, {}))\nexcept OSError:\n    pass\n").format(
                  name, V4.dead, PORT)
    with top(*of(lab), "--by", "pid") as screen:
        screen.wait(lambda text: "seg/s" in text, "screen")
        drawn = len(screen.raw)
        lab.client.run(["python3", "-c", script])
        screen.wait(lambda text: "\\x1b[2J[red]\\x0a' (" in text, "name")
        assert b"\x1b[2J" not in screen.raw[drawn:]
        screen.press("q")
        left(screen)
