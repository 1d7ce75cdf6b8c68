"""The units of docs/privileges.md and docs/prometheus, as systemd reads them."""
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from lab import summary

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs")
WORST = 2.5  # of 10, by what `systemd-analyze security` counts

each_unit = pytest.mark.parametrize("where", ["privileges.md", "prometheus/retrans-metrics.service"])


def unit(where: str) -> str:
    with open(os.path.join(DOCS, where), encoding="utf-8") as file:
        text = file.read()
    if where.endswith(".service"):
        return text
    found = re.search(r"```ini\n(.*?)```", text, re.DOTALL)
    assert found
    return found.group(1)


def runnable(text: str) -> str:
    """With a program that is there."""
    return re.sub("(?m)^ExecStart=\\S+", "ExecStart=" + sys.executable, text)


def verified(folder: Any, text: str) -> str:
    path = folder / "retrans.service"
    path.write_text(runnable(text))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return "\n".join(line for line in done.stdout.splitlines() if "retrans.service" in line)


@pytest.mark.full
@each_unit
def test_systemd_understands_every_line(tmp_path: Any, where: str) -> None:
    assert shutil.which("systemd-analyze"), "install systemd, or run `make -C native test FULL=1`, which does"
    assert verified(tmp_path, unit(where)) == ""
    assert "ProtectSytem" in verified(tmp_path, unit(where).replace("ProtectSystem", "ProtectSytem"))


@pytest.mark.full
@each_unit
def test_systemd_finds_little_left_open(tmp_path: Any, where: str) -> None:
    path = tmp_path / "retrans.service"
    path.write_text(runnable(unit(where)))
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True).stdout
    found = re.search(r"Overall exposure level for retrans.service: ([0-9.]+)", said)
    assert found, said
    summary.say("systemd-analyze security: exposure of {} is {}".format(where, found.group(1)))
    assert float(found.group(1)) <= WORST


@each_unit
def test_the_unit_gives_the_rights_of_the_table(where: str) -> None:
    lines = dict(line.split("=", 1) for line in unit(where).splitlines() if "=" in line)
    assert lines["AmbientCapabilities"] == lines["CapabilityBoundingSet"] == "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE"
