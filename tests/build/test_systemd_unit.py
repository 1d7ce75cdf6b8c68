"""The unit of docs/privileges.md, as systemd reads it."""
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "privileges.md")


def unit() -> str:
    with open(DOCUMENT, encoding="utf-8") as file:
        found = re.search(r"```ini\n(.*?)```", file.read(), re.DOTALL)
    assert found
    return found.group(1)


def verified(folder: Any, text: str) -> str:
    path = folder / "retrans.service"
    path.write_text(text.replace("/usr/bin/python3", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return "\n".join(line for line in done.stdout.splitlines() if "retrans.service" in line)


@pytest.mark.full
def test_systemd_understands_every_line(tmp_path: Any) -> None:
    assert shutil.which("systemd-analyze"), "install systemd, or run `make -C native test FULL=1`, which does"
    assert verified(tmp_path, unit()) == ""
    assert "ProtectSytem" in verified(tmp_path, unit().replace("ProtectSystem", "ProtectSytem"))


def test_the_unit_gives_the_rights_of_the_table() -> None:
    lines = dict(line.split("=", 1) for line in unit().splitlines() if "=" in line)
    assert lines["AmbientCapabilities"] == lines["CapabilityBoundingSet"] == "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE"
