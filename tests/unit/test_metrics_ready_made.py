"""What lies in docs/prometheus: the dashboard holds together, promtool finds nothing in the rules."""
import json
import os
import re
import shutil
import subprocess
from itertools import combinations
from typing import Any, Dict, List, Tuple

import pytest
from fake_library import packed
from places import REPOSITORY
from retrans_ctypes.grouping import GROUPINGS
from retrans_ctypes.sinks.prometheus import Families, Tally, exposition
from retrans_ctypes.sinks.prometheus.families import METRICS
from retrans_ctypes.sinks.prometheus.tally import labels_by
from retrans_ctypes.workload import Lookups

READY_MADE = os.path.join(REPOSITORY, "docs", "prometheus")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
SERVED = {metric.name + suffix for metric in METRICS for suffix in SUFFIXES.get(metric.kind, ("",))}


def text_of(name: str) -> str:
    with open(os.path.join(READY_MADE, name), encoding="utf-8") as file:
        return file.read()


def dashboard() -> Dict[str, Any]:
    found = json.loads(text_of("dashboard.json"))
    assert isinstance(found, dict)
    return found


def promtool(*arguments: str, cwd: str = READY_MADE, read: str = "") -> Tuple[int, str]:
    assert shutil.which("promtool"), "install prometheus, or run `make -C native test FULL=1`, which does"
    done = subprocess.run(("promtool",) + arguments, cwd=cwd, input=read, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return done.returncode, done.stdout


def overlap(one: Dict[str, int], other: Dict[str, int]) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
               for at, size in (("x", "w"), ("y", "h")))


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml", "dashboard.json"])
def test_only_metrics_that_there_are(name: str) -> None:
    used = set(re.findall(r"\bretrans_[a-z_]+", text_of(name)))
    assert len(used) > 5 and used <= SERVED


def test_dashboard() -> None:
    board = dashboard()
    panels: List[Dict[str, Any]] = board["panels"]
    assert re.match(r"[a-z-]{1,40}\Z", board["uid"]) and board["title"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24 and panel["title"] and panel["description"]
        assert {target["refId"] for target in panel["targets"]} <= set("ABCDEFGH")
        for source in [panel] + panel["targets"]:
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert not [pair for pair in combinations([panel["gridPos"] for panel in panels], 2) if overlap(*pair)]


def test_variables_of_the_dashboard() -> None:
    board = dashboard()
    variables = {one["name"]: one for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"])))
    assert used - {"__rate_interval", "__range"} == set(variables) == {"datasource", "job", "instance", "by"}
    assert set(variables["by"]["query"].split(",")) == set(GROUPINGS)


@pytest.mark.full
def test_promtool_finds_nothing_in_the_rules(tmp_path: Any) -> None:
    code, said = promtool("check", "rules", "alerts.yml")
    assert code == 0 and "10 rules found" in said, said
    code, said = promtool("test", "rules", "alerts_test.yml")
    assert code == 0, said
    shutil.copy(os.path.join(READY_MADE, "alerts_test.yml"), str(tmp_path))
    (tmp_path / "alerts.yml").write_text(text_of("alerts.yml").replace("[5m])) > 1\n", "[5m])) > 100\n"))
    code, said = promtool("test", "rules", "alerts_test.yml", cwd=str(tmp_path))
    assert code == 1 and "TcpConnectsUnanswered" in said, "the tests of the rules find nothing"


@pytest.mark.full
def test_promtool_reads_the_scrape_configuration(tmp_path: Any) -> None:
    for name in ("scrape.yml", "alerts.yml"):
        shutil.copy(os.path.join(READY_MADE, name), str(tmp_path))
    code, said = promtool("check", "config", "scrape.yml", cwd=str(tmp_path))
    assert code == 0 and "1 rule files found" in said, said


@pytest.mark.full
@pytest.mark.parametrize("comm", [b"curl", b'\x1b[2J"}\n#\\ \xff{,=', b"'\t\r\x7f</script>"])
def test_promtool_finds_nothing_in_the_metrics(comm: bytes) -> None:
    """Whatever a process calls itself."""
    tally = Tally(labels_by("pid"), Lookups(names=()))
    tally.add(packed(owner_pid=1, owner_comm=comm, segs=1, stall_us=5, reason=1))
    text = exposition(Families(tally)).text.decode("utf-8")
    assert text.count("(1)") == 2
    assert promtool("check", "metrics", read=text) == (0, "")
    assert promtool("check", "metrics", read=text.replace("retrans_segments_total", "retrans_segments"))[0] != 0
