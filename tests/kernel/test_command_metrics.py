"""`metrics` against real retransmits: what it serves, how it ends, and what a real Prometheus makes of it."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any, List, Set, Tuple

import prometheus_client
import pytest
from lab import commands, interpreters, summary
from lab.books import inhabited
from lab.counters import Counters
from lab.link import V4, V6, Lab
from lab.prometheus import Prometheus, get, served_at, values
from lab.rights import BPF, NOBODY, PERFMON, SYS_PTRACE, as_user
from lab.stage import copy_package, open_folder
from lab.traffic import connecting, send_bulk
from retrans_ctypes import Tracer
from retrans_ctypes.rights import CAPABILITIES

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY_MADE = os.path.join(ROOT, "docs", "prometheus")
TOLD = "Tracing retransmits; metrics are at http://{}/metrics ... Hit Ctrl-C to end"
PREFIX = "10.77.0.0/24"


def serving(*options: str) -> List[str]:
    return commands.module("metrics", "--listen", "127.0.0.1:0", *options)


def of(lab: Lab) -> List[str]:
    """Only what the client's side of the lab sends."""
    return ["--netns", str(lab.client.inode)]


def wait_value(place: Any, least: float, name: str, **labels: str) -> str:
    """Wait until the metric is that much; the text it was read from."""
    deadline = time.monotonic() + 10
    while True:
        status, text = get(place)
        assert status == 200, text
        if sum(values(text, name, **labels)) >= least:
            return text
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


def ended(child: commands.Child, number: int = signal.SIGINT) -> List[str]:
    child.interrupt(number)
    code, out, err = child.end()
    assert (code, out) == (0, []) and "Traceback" not in "\n".join(err), err
    return err


def test_a_retransmit_is_counted(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(serving("--namespaces", "9999", *of(lab))) as child:
        place = served_at(child)
        assert get(place, "/healthz") == (200, "ok\n")
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4301), connecting(lab.client, V6.dead, 4302):
            counters.wait("TCPSynRetrans", 2)
        text = wait_value(place, 2, "retrans_segments_total", reason="syn", direction="out")
        err = ended(child)
    assert values(text, "retrans_segments_total", family="ipv4", prefix=PREFIX, reason="syn") == [1]
    assert values(text, "retrans_events_total", family="ipv6", prefix="fd77::/64", reason="syn") == [1]
    assert values(text, "retrans_stall_seconds_bucket", reason="syn", le="0.5") == [0]
    assert values(text, "retrans_stall_seconds_bucket", reason="syn", le="2.5") == [2]
    assert 1.9 < values(text, "retrans_stall_seconds_sum", reason="syn")[0] < 4
    assert values(text, "retrans_attached") == [1] and values(text, "retrans_build_info", attach="tp_btf") == [1]
    namespace = values(text, "retrans_ledger_namespace_segments", netns=str(lab.client.inode), outcome="delivered")
    assert namespace == [2]
    assert err[0] == TOLD.format("%s:%d" % place) and len(err) == 4


def test_other_labels(lab: Lab, nothing_left_behind: None) -> None:
    """One retransmit serves them all."""
    labels = {"rport": "4303", "remote": V4.dead, "netns": str(lab.client.inode), "container": "unknown"}
    with ExitStack() as stack:
        children = {by: stack.enter_context(commands.Child(serving("--by", by, *of(lab)))) for by in labels}
        places = {by: served_at(child) for by, child in children.items()}
        with connecting(lab.client, V4.dead, 4303):
            for by, value in labels.items():
                wait_value(places[by], 1, "retrans_events_total", **{by: value})
        for child in children.values():
            ended(child)


def rights_of(child: commands.Child) -> Set[Any]:
    """User and capabilities of each thread; a thread that served a scrape may end while this reads."""
    found = set()
    for status in glob.glob("/proc/%d/task/*/status" % child.process.pid):
        try:
            with open(status) as lines:
                told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.add((told["Uid"].split()[1], int(told["CapPrm"], 16)))
    return found


def check_counting(lab: Lab, child: commands.Child) -> None:
    place = served_at(child)
    with connecting(lab.client, V4.dead, 4304):
        text = wait_value(place, 1, "retrans_events_total", reason="syn")
    assert values(text, "retrans_ledger_segments", outcome="kernel")


def test_it_goes_on_as_another_user(lab: Lab, nothing_left_behind: None) -> None:
    """Rights are dropped once it is attached and listens; its threads come after that."""
    with commands.Child(serving("--user", "nobody", *of(lab))) as child:
        check_counting(lab, child)
        kept = sum(1 << CAPABILITIES[name] for name in Tracer.lasting_rights())
        assert rights_of(child) == {(str(NOBODY), kept)}
        ended(child)


def test_with_the_rights_of_the_systemd_unit(lab: Lab, nothing_left_behind: None) -> None:
    with open_folder() as folder:
        copy_package(folder)
        library = os.path.dirname(prometheus_client.__file__)
        shutil.copytree(library, os.path.join(folder, "prometheus_client"))
        argv = as_user(NOBODY, (BPF, PERFMON, SYS_PTRACE)) + serving(*of(lab))
        argv[argv.index(sys.executable)] = interpreters.anybodys()
        environment = commands.environment(RETRANS_CTYPES_LIBRARY=None, PYTHONPATH=None)
        with commands.Child(argv, cwd=folder, env=environment) as child:
            check_counting(lab, child)
            assert rights_of(child) == {(str(NOBODY), 1 << BPF | 1 << PERFMON | 1 << SYS_PTRACE)}
            ended(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_scraped_while_it_ends(nothing_left_behind: None, number: int) -> None:
    stop, odd = threading.Event(), []

    def scrape(place: Any) -> None:
        while not stop.is_set():
            try:
                status, text = get(place)
                if status != 200 or "retrans_attached" not in text:
                    odd.append((status, text))
            except ConnectionError:
                pass  # it listens no more
            except Exception as error:
                odd.append(error)
    with commands.Child(serving()) as child:
        place = served_at(child)
        scrapers = [threading.Thread(target=scrape, args=(place,)) for _ in range(4)]
        for scraper in scrapers:
            scraper.start()
        time.sleep(0.3)
        asked = time.monotonic()
        err = ended(child, number)
        assert time.monotonic() - asked < 5 and len(err) == 4, err
        stop.set()
        for scraper in scrapers:
            scraper.join()
    assert [one for one in odd if not isinstance(one, Exception) and one[0] != 503] == []
    assert [one for one in odd if isinstance(one, Exception)
            and type(one).__name__ not in ("RemoteDisconnected", "BadStatusLine", "IncompleteRead")] == []


def test_a_port_in_use(nothing_left_behind: None) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        code, out, err = commands.run(commands.module("metrics", "--listen", "127.0.0.1:%d" % other.getsockname()[1]))
    assert (code, out) == (6, [])
    commands.one_sentence(err, "cannot listen on 127.0.0.1:", "another process listens there")


@pytest.mark.parametrize("options, words", [
    (["--listen", "2112"], ["is not HOST:PORT"]), (["--listen", "192.0.2.9:2112"], ["does not have that address"]),
    (["--series", "0"], ["--series"]), (["--by", "nothing"], ["--by"]),
    (["--by", "remote", "--prefix4", "16"], ["--prefix4", "--by prefix"]), (["--prefix6", "129"], ["128"])])
def test_options_that_cannot_be(nothing_left_behind: None, options: List[str], words: List[str]) -> None:
    code, out, err = commands.run(commands.module("metrics", *options))
    assert (code, out) == (2, [])
    commands.one_sentence(err, *words)


@pytest.mark.parametrize("listen, warned", [
    ("0.0.0.0:0", True), ("[::]:0", True), ("[::1]:0", False), ("127.0.0.9:0", False)])
def test_who_can_read_it(nothing_left_behind: None, listen: str, warned: bool) -> None:
    code, _, err = commands.run(commands.module("metrics", "--listen", listen, "--duration", "0.2"))
    assert code == 0
    assert ["anyone who reaches %s" % listen[:-1] in line for line in err] == [warned] + [False] * (len(err) - 1)


@pytest.mark.full
def test_slow_clients_do_not_hold_up_tracing(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(serving("--by", "none", *of(lab))) as child:
        place = served_at(child)
        slow = [socket.create_connection(place) for _ in range(40)]
        try:
            with connecting(lab.client, V4.dead, 4305):
                Counters(lab.client).wait("TCPSynRetrans", 1)
                time.sleep(6)  # by then they are cut off
                text = wait_value(place, 1, "retrans_events_total", reason="syn")
        finally:
            for client in slow:
                client.close()
        assert values(text, "retrans_lost_events_total") == [0]
        ended(child)


def traffic(lab: Lab) -> Tuple[int, int]:
    """Loses data and connects in vain; what the client's RetransSegs and TCPSynRetrans grew by, standing still now."""
    counters = Counters(lab.client)
    lab.lose(lab.server, 150)
    send_bulk(lab, V4, 1 << 21, 30)
    lab.heal(lab.server)
    with connecting(lab.client, V4.dead, 4306, 3), connecting(lab.client, V6.dead, 4307, 2):
        counters.wait("TCPSynRetrans", 5)
    gained = counters.gained()
    return gained["RetransSegs"], gained["TCPSynRetrans"]


def names_in(expression: str) -> Set[str]:
    return set(re.findall(r"\bretrans_\w+", expression))


def dashboard_expressions() -> List[str]:
    with open(os.path.join(READY_MADE, "dashboard.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def filled_in(expression: str) -> str:
    """As Grafana would send it, with all hosts chosen."""
    for name, value in (("$__rate_interval", "1m"), ("$__range", "1m"), ("$job", ".*"), ("$instance", ".*"),
                        ("$by", "prefix")):
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.full
def test_a_real_prometheus(lab: Lab, nothing_left_behind: None, tmp_path: Any) -> None:
    """Its answers are what the kernel counted, for each expression of the dashboard too."""
    with inhabited(lab), commands.Child(serving("--namespaces", "9", *of(lab))) as child:
        place = served_at(child)
        rules = os.path.join(READY_MADE, "alerts.yml")
        with Prometheus(tmp_path, place, rules) as server:
            server.wait_number('up{job="retrans"}', 1)
            gained, syns = traffic(lab)
            query, missing = "sum(retrans_segments_total)", 'sum(retrans_ledger_segments{outcome="lost"})'
            server.wait_number(query + " + " + missing, gained)
            answer, lost = server.number(query), server.number(missing)
            summary.say("Prometheus: {} = {:.0f}, {} = {:.0f}; the kernel's RetransSegs grew by {}".format(
                query, answer, missing, lost, gained))
            assert lost <= 0.1 * gained  # the kernel calls no program for a few segments (docs/accuracy.md)
            assert server.number('sum(retrans_ledger_segments{outcome="delivered"})') == gained - lost
            assert server.number('sum(retrans_ledger_segments{outcome="kernel"})') >= gained
            assert server.number("sum(retrans_delivered_segments_total)") == gained - lost
            for query in ('sum(retrans_segments_total{reason="syn",direction="out"})',
                          'sum by (le) (retrans_stall_seconds_bucket{reason="syn",le="+Inf"})'):
                assert syns - lost <= server.number(query) <= syns
            server.wait("sum by (reason) (rate(retrans_segments_total[1m]))",
                        lambda rows: {"syn", "fast"} <= {row["metric"]["reason"] for row in rows})
            text = get(place)[1]
            check_ready_made(server, text)
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, universal_newlines=True)
        assert (checked.returncode, checked.stdout) == (0, "")
        ended(child)


def check_ready_made(server: Prometheus, text: str) -> None:
    """Dashboard and alerts ask for what there is, and Prometheus understands them."""
    served = set(re.findall(r"^(retrans_\w+)[ {]", text, re.MULTILINE))
    expressions = dashboard_expressions()
    assert len(expressions) > 15
    for expression in expressions:
        assert names_in(expression) <= served, expression
        assert server.ask(filled_in(expression)), "nothing to show: " + expression
    status, told = get(server.place, "/api/v1/rules")
    alerts = [rule for group in json.loads(told)["data"]["groups"] for rule in group["rules"]]
    assert status == 200 and len(alerts) == 10
    for alert in alerts:
        assert names_in(alert["query"]) <= served and alert["health"] in ("ok", "unknown"), alert
