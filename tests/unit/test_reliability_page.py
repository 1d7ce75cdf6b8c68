"""How docs/reliability.md is filled: from what tests counted, and from nothing else."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab import tried

SCRIPT = Path(__file__).resolve().parents[2] / "native/scripts/reliability.py"


@pytest.fixture(autouse=True)
def other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tried, "_counted", type(tried._counted)())


def test_trials_add_up(tmp_path: Path) -> None:
    tried.count("faults", "SIGKILL while recording", "nothing attached")
    tried.count("memory", "open and close", "nothing grew", 1000)
    tried.count("faults", "SIGKILL while recording", "nothing attached")
    assert tried.rows() == [("memory", "open and close", 1000, "nothing grew"),
                            ("faults", "SIGKILL while recording", 2, "nothing attached")]


@pytest.mark.parametrize("section, times", [("elsewhere", 1), ("faults", 0)])
def test_what_is_no_trial_is_refused(section: str, times: int) -> None:
    with pytest.raises(AssertionError):
        tried.count(section, "something", "held", times)


def test_only_what_lies_between_the_markers_changes(tmp_path: Path) -> None:
    tried.count("memory", "open and close", "nothing grew", 1000)
    counted, others, page = tmp_path / "tried.json", tmp_path / "others.json", tmp_path / "page.md"
    others.write_text(json.dumps([["faults", "SIGKILL", 7, "held"], ["memory", "a soak", 30, "flat"],
                                  ["memory", "open and close", 5, "nothing grew"]]))
    tried.save(str(counted))
    page.write_text("before\n<!-- tried: begin -->\nold\n<!-- tried: end -->\nafter\n")
    subprocess.run([sys.executable, str(SCRIPT), str(page), str(counted), str(others)], check=True)
    told = page.read_text()
    assert told.startswith("before\n") and told.endswith("after\n") and "old" not in told
    assert told.count("### Memory") == told.count("### Faults") == 1
    assert "| open and close     |       1,005 | nothing grew |\n| a soak             |          30 | flat" in told
    assert json.loads(counted.read_text()) == [["memory", "open and close", 1000, "nothing grew"]]
