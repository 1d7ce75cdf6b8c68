"""doctor on this kernel, and in places where the kernel gives less; nothing stays behind."""
import json
import os
import sys
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest
from lab import commands, interpreters
from lab.stage import LIBRARY_NAME, copy_package, open_folder

LEVELS = {"full": 0, "degraded": 1, "impossible": 2}
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
BPF_AND_PERFMON = ["--inh-caps=+cap_39,+cap_38", "--ambient-caps=+cap_39,+cap_38"]  # by number: for older setpriv
TRACEFS = "mount -t tracefs tracefs /sys/kernel/tracing"
NO_TRACEFS = "if mountpoint -q /sys/kernel/tracing; then umount -l /sys/kernel/tracing; fi"
NO_BTF = "mount -t tmpfs none /sys/kernel/btf"


class Doctor(NamedTuple):
    """Runs a copy of the package from its folder, after ``before``."""

    folder: str

    def run(self, *arguments: str, before: List[str], **variables: str) -> Any:
        python = interpreters.anybodys() if before else sys.executable
        environment = dict({"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}, **variables)
        return commands.run(before + commands.module("doctor", *arguments, python=python),
                            cwd=self.folder, env=environment)

    def tell(self, *arguments: str, before: List[str] = [], **variables: str) -> Dict[str, Any]:
        """What --json says, which must agree with the exit code."""
        code, out, err = self.run("--json", *arguments, before=before, **variables)
        assert err == []
        told, = [json.loads(line) for line in out]
        assert code == told["exit_code"] == LEVELS[told["verdict"]]
        assert told["failures"] == {} and (code == 0) == (told["lacks"] == [])
        return dict(told)


@pytest.fixture
def doctor(nothing_left_behind: None) -> Iterator[Doctor]:
    with open_folder() as folder:
        copy_package(folder)
        yield Doctor(folder)


def mounting(*steps: str, then: List[str] = []) -> List[str]:
    """A mount namespace of its own, prepared by these commands."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
            "; ".join(steps + ('exec "$@"',)), "sh"] + then


def works(told: Dict[str, Any], kind: str = "attach") -> List[str]:
    return [name for name, attempt in told[kind].items() if attempt["works"]]


def what_is_lost(told: Dict[str, Any]) -> str:
    return "; ".join("%s -> %s" % (lack["what"], lack["better"]) for lack in told["lacks"])


def test_here(doctor: Doctor) -> None:
    told = doctor.tell(before=mounting(NO_TRACEFS, TRACEFS))
    assert told["chosen"]["capabilities"]["attach"] == "tp_btf"
    assert {"tp_btf", "raw_tp", "tp"} <= set(works(told)) and works(told, "buffers") == ["ring", "perf"]
    assert told["tracefs"] == {"path": "/sys/kernel/tracing", "tracepoint": True, "places": [
        {"path": "/sys/kernel/tracing", "state": "usable", "problem": None}]}
    assert told["library"]["path"] == os.path.join(doctor.folder, "retrans_ctypes", LIBRARY_NAME)
    assert told["kernel"] == {"release": os.uname().release, "machine": os.uname().machine}
    assert told["rights"]["missing"] == [] or "CAP_" in what_is_lost(told)


def test_the_screen(doctor: Doctor) -> None:
    code, out, err = doctor.run(before=[])
    assert err == [] and len(out) <= 30 and max(map(len, out)) <= 80
    level = out[0].rpartition(" ")[2]
    assert LEVELS[level] == code and any(line[2:].startswith(level) for line in out)


@pytest.mark.full
def test_under_the_oldest_python(doctor: Doctor) -> None:
    oldest = interpreters.found()[0]
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    code, out, err = commands.run([oldest.path, "-X", "dev", "-m", "retrans_ctypes", "doctor", "--json"],
                                  cwd=doctor.folder, env=environment)
    assert err == [] and json.loads(out[0])["exit_code"] == code


def test_as_nobody(doctor: Doctor) -> None:
    told = doctor.tell(before=AS_NOBODY)
    assert told["verdict"] == "impossible" and "root" in what_is_lost(told)
    assert works(told) == works(told, "buffers") == told["rights"]["held"] == []
    assert told["surroundings"]["closed_processes"] > 0 and told["rights"]["euid"] == 65534


def test_with_two_capabilities(doctor: Doctor) -> None:
    told = doctor.tell(before=AS_NOBODY + BPF_AND_PERFMON)
    assert told["verdict"] == "degraded" and told["rights"]["held"] == ["CAP_BPF", "CAP_PERFMON"]
    assert "CAP_SYS_ADMIN" in what_is_lost(told) and "CAP_SYS_PTRACE" in what_is_lost(told)


def test_without_btf(doctor: Doctor) -> None:
    told = doctor.tell(before=mounting(NO_BTF, NO_TRACEFS, TRACEFS))
    assert told["verdict"] == "degraded" and "ledger" in what_is_lost(told) and "--btf" in what_is_lost(told)
    assert works(told) == ["tp"] and told["chosen"]["capabilities"]["attach"] == "tp"
    assert told["btf"]["problem"] == "no such file or directory"
    assert "BTF" in told["attach"]["tp_btf"]["refusal"]


def test_without_btf_and_tracefs(doctor: Doctor) -> None:
    told = doctor.tell(before=mounting(NO_BTF, NO_TRACEFS))
    assert told["verdict"] == "impossible" and works(told) == []
    assert "BTF" in what_is_lost(told) and "tracefs" in what_is_lost(told)
    assert told["tracefs"]["places"][0]["state"] == "empty"


def test_a_btf_file(doctor: Doctor) -> None:
    """The kernel's own, copied, stands for it; what is none does not."""
    file = os.path.join(doctor.folder, "this.btf")
    hidden = mounting("cp /sys/kernel/btf/vmlinux " + file, NO_BTF, NO_TRACEFS)
    told = doctor.tell("--btf", file, before=hidden)
    assert told["btf"]["given"] and told["btf"]["problem"] is None
    assert works(told) == ["raw_tp"] and told["chosen"]["capabilities"]["attach"] == "raw_tp"
    with open(file, "r+b") as stump:
        stump.truncate(1000)
    told = doctor.tell("--btf", file, before=mounting(NO_BTF, NO_TRACEFS))
    assert told["verdict"] == "impossible" and told["btf"]["problem"].startswith("is cut short")


def test_tracefs_that_is_closed(doctor: Doctor) -> None:
    """Mounted for root alone, as it is by default."""
    before = mounting(NO_BTF, NO_TRACEFS, TRACEFS, "chmod 700 /sys/kernel/tracing", then=AS_NOBODY + BPF_AND_PERFMON)
    told = doctor.tell(before=before)
    assert told["verdict"] == "impossible" and "tracefs" in what_is_lost(told)
    assert told["tracefs"]["places"][0] == {"path": "/sys/kernel/tracing", "state": "closed", "problem": "permission denied"}
    code, out, err = doctor.run("--tracepoints", "tcp:*", before=before)
    assert (code, out) == (2, [])
    commands.one_sentence(err, "permission denied", "root")


def test_neither_proc_nor_sys(doctor: Doctor) -> None:
    told = doctor.tell(before=mounting("umount -l /sys", "umount -l /proc"))
    assert told["verdict"] == "impossible" and told["rights"]["held"] is None
    assert told["surroundings"]["processes"] == 0 and told["cgroups"]["layout"] == "none"


def test_with_processes_hidden(doctor: Doctor) -> None:
    told = doctor.tell(before=mounting("mount -t proc -o hidepid=2 proc /proc", then=AS_NOBODY + BPF_AND_PERFMON))
    assert told["verdict"] == "degraded" and "hidepid" in what_is_lost(told)
    assert told["surroundings"]["hidden_processes"] == "no such file or directory"


def mapped(pid: int) -> str:
    try:
        with open("/proc/%d/maps" % pid) as maps:
            return maps.read()
    except ProcessLookupError:
        return ""  # it has just ended


def test_interrupted(doctor: Doctor) -> None:
    for _ in range(3):
        with commands.Child(commands.module("doctor"), cwd=doctor.folder) as child:
            child.wait_for(lambda: child.process.poll() is not None or LIBRARY_NAME in mapped(child.process.pid),
                           "library loaded", 20)
            child.interrupt()
            ended = child.end()
        if not ended[1]:
            break  # else it had told everything before Ctrl-C came
    assert ended == (130, [], [])


def test_in_a_pid_namespace(doctor: Doctor) -> None:
    told = doctor.tell(before=["unshare", "--pid", "--fork", "--mount-proc"])
    assert told["verdict"] == "degraded" and "--pid=host" in what_is_lost(told)
    assert "pid" in told["surroundings"]["namespaces"] and not told["surroundings"]["host_pids"]


def test_in_a_user_namespace(doctor: Doctor) -> None:
    told = doctor.tell(before=["unshare", "--user", "--map-root-user"])
    assert told["verdict"] == "impossible" and told["rights"]["user_namespace"] is True
    assert "user namespace" in what_is_lost(told) and works(told) == []


DEBUG_CONTAINER = """
top=$0/top
mkdir "$top"
mount -t tmpfs none "$top"
mkdir "$top"/usr "$top"/proc "$top"/sys "$top"/dev "$top"/host "$top"/tmp
mount --rbind / "$top"/host
for name in bin sbin lib lib64; do
	if test -L /$name; then cp -P /$name "$top"/$name; elif test -d /$name; then mkdir "$top"/$name; mount --bind /$name "$top"/$name; fi
done
mount --rbind /usr "$top"/usr; mount --rbind /proc "$top"/proc; mount --bind /sys "$top"/sys; mount --rbind /dev "$top"/dev
mkdir "$top"/package; mount --bind "$0" "$top"/package
exec chroot "$top" env PYTHONPATH=/package "$@"
"""


def test_in_a_debug_container(doctor: Doctor) -> None:
    """As `oc debug node/...`: no tracefs of its own, and the host's root folder below /host."""
    before = mounting(NO_TRACEFS, TRACEFS, then=["sh", "-ec", DEBUG_CONTAINER, doctor.folder])
    told = doctor.tell(before=before)
    assert [place["state"] for place in told["tracefs"]["places"]] == ["empty", "missing", "usable"]
    assert told["tracefs"]["path"] == "/host/sys/kernel/tracing" and told["surroundings"]["host"] == "/host"
    assert "tp" in works(told) and told["chosen"]["works"]


@pytest.mark.full
@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n" * 1000, None], ids=["empty", "script", "missing"])
def test_a_damaged_library(doctor: Doctor, content: Any) -> None:
    path = os.path.join(doctor.folder, "retrans_ctypes", LIBRARY_NAME)
    os.unlink(path)
    if content is not None:
        with open(path, "wb") as file:
            file.write(content)
    told = doctor.tell()
    assert told["verdict"] == "impossible" and told["library"]["problem"] == what_is_lost(told)[:-len(" -> ")]


def test_a_library_on_a_noexec_mount(doctor: Doctor) -> None:
    place = os.path.join(doctor.folder, "noexec")
    os.mkdir(place)
    library = os.path.join(doctor.folder, "retrans_ctypes", LIBRARY_NAME)
    told = doctor.tell(before=mounting("mount -t tmpfs -o noexec none %s" % place, "cp %s %s" % (library, place)),
                       RETRANS_CTYPES_LIBRARY=os.path.join(place, LIBRARY_NAME))
    assert told["verdict"] == "impossible" and told["library"]["noexec"] and "noexec" in what_is_lost(told)


def test_tracepoints(doctor: Doctor) -> None:
    """Against the format files themselves, read by other tools."""
    prepared = [NO_TRACEFS, TRACEFS]
    code, out, err = doctor.run("--json", "--tracepoints", "tcp:*", before=mounting(*prepared))
    told = json.loads(out[0])
    assert (code, err, told["tracefs"]) == (0, [], "/sys/kernel/tracing")
    _, counted, _ = commands.run(mounting(*prepared, then=[
        "grep", "-rc", "field:", "/sys/kernel/tracing/events/tcp", "--include=format"]))
    theirs = {line.split("/")[-2]: int(line.rpartition(":")[2]) for line in counted}
    assert {each["name"]: len(each["fields"]) for each in told["tracepoints"]} == theirs and len(theirs) > 1
    ours = next(each for each in told["tracepoints"] if each["name"] == "tcp_retransmit_skb")
    _, lines, _ = commands.run(mounting(*prepared, then=[
        "sed", "-nE", r"s/.*field:.*\W(\w+)(\[.*\])?;\s*offset:([0-9]+);\s*size:([0-9]+);.*/\1 \3 \4/p",
        "/sys/kernel/tracing/events/tcp/tcp_retransmit_skb/format"]))
    assert ["{name} {offset} {size}".format(**field) for field in ours["fields"]] == lines


def test_tracepoints_as_text(doctor: Doctor) -> None:
    code, out, err = doctor.run("--tracepoints", "tcp:tcp_retransmit_skb", before=mounting(NO_TRACEFS, TRACEFS))
    assert (code, err, out[0]) == (0, [], "tcp:tcp_retransmit_skb")
    assert any(line.split() == ["8", "8", "const", "void", "*", "skbaddr"] for line in out)
    code, out, err = doctor.run("--tracepoints", "no:such", before=mounting(NO_TRACEFS, TRACEFS))
    assert (code, out) == (1, [])
    commands.one_sentence(err, "no:such", "*:*")
    code, out, err = doctor.run("--tracepoints", "tcp:*", before=mounting(NO_TRACEFS))
    assert (code, out) == (2, [])
    commands.one_sentence(err, "mount -t tracefs")
