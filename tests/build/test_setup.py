"""The set-up step, with a package manager that only pretends."""
import importlib.util
import os
import subprocess
import sys
from typing import Any, Dict, List

import pytest
from building import NATIVE, environment, run

SETUP = [sys.executable, os.path.join(NATIVE, "scripts", "setup.py")]
AS_USER = [sys.executable, "-c", """
import os, runpy, sys
os.geteuid = lambda: 1000
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
""", SETUP[1]]
TOOLS = ("gcc", "objcopy", "dirname", "touch", "chmod")

# Writes down how it was called; `update` fails, as it does when one of several sources is down.
APT_GET = """#!/bin/sh
echo "$0 $* $DEBIAN_FRONTEND" >> {log}
case "$*" in
*update*) exit 100 ;;
*) for tool in {makes}; do : > {bin}/$tool; chmod +x {bin}/$tool; done ;;
esac
"""


class Machine:
    """A PATH with a compiler, without clang and bpftool."""

    def __init__(self, folder: Any) -> None:
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.bin.mkdir()
        for tool in TOOLS:
            for place in ("/usr/bin", "/bin"):
                if os.path.exists(os.path.join(place, tool)) and not (self.bin / tool).is_symlink():
                    (self.bin / tool).symlink_to(os.path.join(place, tool))

    def add_manager(self, name: str, makes: str) -> None:
        (self.bin / name).write_text(APT_GET.format(log=self.log, bin=self.bin, makes=makes))
        (self.bin / name).chmod(0o755)

    def environment(self, **changes: str) -> Dict[str, str]:
        return environment(PATH=str(self.bin), CC="gcc", **changes)

    def calls(self) -> List[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Any) -> Machine:
    return Machine(tmp_path)


def test_nothing_missing_says_nothing() -> None:
    assert run(SETUP + ["build", "bpf"]) == ""


def test_root_gets_what_is_missing_named_and_installed(machine: Machine) -> None:
    machine.add_manager("apt-get", "clang bpftool")
    said = run(SETUP + ["build", "bpf"], env=machine.environment())
    assert said.startswith("setup: missing: clang, bpftool. Installing them now")
    assert "install -y --no-install-recommends bpftool clang" in said
    update, install = machine.calls()
    assert "update" in update and "bpftool clang" in install and install.endswith("noninteractive")


def test_install_that_does_not_help_is_told(machine: Machine) -> None:
    machine.add_manager("apt-get", "clang")
    said = run(SETUP + ["bpf"], code=1, env=machine.environment())
    assert "still missing: bpftool" in said


def test_dnf(machine: Machine) -> None:
    machine.add_manager("dnf", "clang bpftool")
    assert "dnf -q install -y bpftool clang" in run(SETUP + ["bpf"], env=machine.environment())


def test_without_root_prints_the_command(machine: Machine) -> None:
    machine.add_manager("apt-get", "clang bpftool")
    said = run(AS_USER + ["bpf"], code=1, env=machine.environment())
    assert "Install them as root" in said
    assert "apt-get -qq install -y --no-install-recommends bpftool clang" in said
    assert machine.calls() == []


def test_print_only(machine: Machine) -> None:
    machine.add_manager("apt-get", "clang bpftool")
    said = run(SETUP + ["bpf"], code=1, env=machine.environment(SETUP="print"))
    assert "apt-get" in said and machine.calls() == []


def test_unknown_system(machine: Machine) -> None:
    said = run(SETUP + ["bpf"], code=1, env=machine.environment())
    assert "neither apt-get nor dnf" in said and "clang, bpftool" in said


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("setup_step", SETUP[1])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_service_starts_while_packages_are_installed(tmp_path: Any, monkeypatch: Any) -> None:
    """Debian asks this file; exit code 101 is 'no'."""
    setup, policy = loaded(), tmp_path / "policy-rc.d"
    monkeypatch.setattr(setup, "POLICY", str(policy))
    with pytest.raises(KeyboardInterrupt), setup.no_services():
        assert subprocess.call([str(policy), "prometheus", "start"]) == 101
        raise KeyboardInterrupt
    assert not policy.exists()
    policy.write_text("mine")
    with setup.no_services():
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"


def test_services_do_not_come_up_with_the_machine(machine: Machine, monkeypatch: Any) -> None:
    setup = loaded()
    machine.add_manager("update-rc.d", "")
    monkeypatch.setenv("PATH", str(machine.bin))
    setup.disable([need for need in setup.NEEDS if need.group == "full"])
    assert [call.split("/")[-1].split() for call in machine.calls()] == [
        ["update-rc.d", name, "disable", "noninteractive"] for name in sorted(setup.SERVICES)]
