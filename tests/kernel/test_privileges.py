"""What tracing needs, what each right adds, and what is given up: with real retransmits of another user's process."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import pytest
from lab import commands, interpreters
from lab.knocking import knocker
from lab.link import Lab
from lab.rights import BPF, NOBODY, PERFMON, SYS_ADMIN, SYS_PTRACE, as_user
from lab.stage import copy_package, open_folder

TRACING = (BPF, PERFMON)


class Stage(NamedTuple):
    """A copy of the package that every user may run."""

    folder: str
    python: str


@pytest.fixture
def stage(nothing_left_behind: None) -> Iterator[Stage]:
    with open_folder() as folder:
        copy_package(folder)
        yield Stage(folder, interpreters.anybodys())


class Seen(NamedTuple):
    """What a run told of one retransmit, and at its end."""

    event: Dict[str, Any]
    last: Dict[str, Any]
    err: List[str]
    status: Dict[str, str]
    pid: int


def status_of(pid: int) -> Dict[str, str]:
    with open("/proc/%d/status" % pid) as lines:
        return dict((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


def run(stage: Stage, lab: Lab, port: int, *arguments: str, before: Optional[List[str]] = None,
          python: Optional[str] = None) -> Seen:
    """Run it beside a process of root's that lives in its own network namespace before and while."""
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    argv = (before or []) + commands.module("--json", *arguments, python=python or stage.python)
    with knocker(lab.client, port) as other:
        with commands.Child(argv, cwd=stage.folder, env=environment) as child:
            child.wait_tracing()
            status = status_of(child.process.pid)
            other.connect()
            mine = '"dport":%d' % port
            child.wait_for(lambda: sum(mine in line for line in child.out.text) > 1, "two events", 15)
            child.interrupt()
            code, out, err = child.end()
        assert code == 0, "\n".join(err)
        pid = other.pid
    records = [json.loads(line) for line in out]
    event = [one for one in records if one.get("dport") == port][-1]  # names may take a moment
    return Seen(event, records[-1], err, status, pid)


def rows(seen: Seen) -> Dict[int, Dict[str, Any]]:
    return {row["netns"]: row for row in seen.last["namespaces"]}


def check(seen: Seen, lab: Lab, **expected: Any) -> None:
    """What never changes, and what is `expected` of the rest."""
    event, row = seen.event, rows(seen)[lab.client.inode]
    assert (event["owner_pid"], event["uid"], event["netns"]) == (seen.pid, 0, lab.client.inode)
    assert event["owner_comm"].startswith("python")
    got = {"cmdline": (event["cmdline"] or "").rpartition(" ")[2] == str(event["dport"]),
           "netns_pid": event["netns_pid"], "kernel": row["kernel"]}
    assert got == dict({"cmdline": True, "netns_pid": seen.pid, "kernel": row["delivered"]}, **expected)
    assert row["unexplained"] == (None if got["kernel"] is None else 0)


@pytest.mark.full
def test_as_root(stage: Stage, lab: Lab) -> None:
    check(run(stage, lab, 4101), lab)


def test_two_capabilities(stage: Stage, lab: Lab) -> None:
    """Events, owners and command lines are whole. Whose namespace it is, and its counter, stays closed."""
    seen = run(stage, lab, 4102, before=as_user(NOBODY, TRACING))
    check(seen, lab, netns_pid=None, kernel=None)
    assert "kernel counter unreadable in " in seen.err[-2]


def test_perf_buffers_are_locked_memory(stage: Stage) -> None:
    """Which takes CAP_IPC_LOCK beyond a limit; a buffer this big is beyond it on any machine."""
    script = ("import retrans_ctypes\n"
              "try: retrans_ctypes.Tracer(buffer='perf', ring_bytes=1 << 28).close()\n"
              "except retrans_ctypes.RetransError as error: print(type(error).__name__, error)")
    with open("/proc/sys/kernel/perf_event_paranoid") as paranoid:
        limited = int(paranoid.read()) >= 0
    done = subprocess.run(as_user(NOBODY, TRACING) + [stage.python, "-c", script], cwd=stage.folder,
                          stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert ("PermissionDenied" in done.stdout and "ulimit -l" in done.stdout) == limited, done.stdout


def test_with_ptrace_rights_the_ledger_is_whole(stage: Stage, lab: Lab) -> None:
    """/proc/PID/net shows the counters of a namespace that may not be entered."""
    check(run(stage, lab, 4103, before=as_user(NOBODY, TRACING + (SYS_PTRACE,))), lab)


@pytest.mark.full
def test_file_capabilities(stage: Stage, lab: Lab) -> None:
    """setcap on a copy of the interpreter, as docs/privileges.md has it."""
    python = os.path.join(stage.folder, "python3")
    shutil.copy(stage.python, python)
    done = subprocess.run(["setcap", "cap_bpf,cap_perfmon,cap_sys_ptrace+ep", python])
    assert done.returncode == 0
    check(run(stage, lab, 4104, before=as_user(NOBODY, ()), python=python), lab)


@pytest.mark.parametrize("held", [(BPF,), (PERFMON,), (SYS_PTRACE,)])
def test_one_alone_is_not_enough(stage: Stage, held: Any) -> None:
    code, _, err = commands.run(as_user(NOBODY, held) + commands.module(python=stage.python), cwd=stage.folder)
    assert code == 3
    commands.one_sentence(err, "CAP_BPF and CAP_PERFMON")


def gave_up_everything(seen: Seen, uid: int, gid: int) -> None:
    status = seen.status
    assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
    assert status["Groups"] == "" and status["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind


def test_root_becomes_nobody(stage: Stage, lab: Lab) -> None:
    """All but the pid in the namespace goes on as before: events, owners, command lines, the ledger."""
    seen = run(stage, lab, 4105, "--user", "nobody")
    gave_up_everything(seen, *pwd.getpwnam("nobody")[2:4])
    check(seen, lab, netns_pid=None)


@pytest.mark.full
@pytest.mark.parametrize("way", ["tp_btf", "raw_tp", "tp"])
@pytest.mark.parametrize("buffer", ["ring", "perf"])
def test_each_way_goes_on_after_the_drop(stage: Stage, lab: Lab, way: str, buffer: str) -> None:
    before = ["unshare", "--mount", "/bin/sh", "-ec", 'mount -t tracefs none /sys/kernel/tracing; exec "$0" "$@"']
    seen = run(stage, lab, 4112, "--user", "nobody", "--attach", way, "--buffer", buffer, before=before)
    gave_up_everything(seen, *pwd.getpwnam("nobody")[2:4])
    assert seen.event["owner_pid"] == seen.pid
    assert way == "tp" or rows(seen)[lab.client.inode]["unexplained"] == 0


@pytest.mark.full
def test_a_user_without_an_entry(stage: Stage, lab: Lab) -> None:
    seen = run(stage, lab, 4106, "--user", "54321:54322")
    gave_up_everything(seen, 54321, 54322)
    check(seen, lab, netns_pid=None)


@pytest.mark.full
def test_a_user_drops_its_own_capabilities(stage: Stage, lab: Lab) -> None:
    """That takes no right to become somebody. The ledger keeps what could be read before."""
    seen = run(stage, lab, 4107, "--user", "%d:%d" % (NOBODY, NOBODY),
                 before=as_user(NOBODY, TRACING + (SYS_PTRACE,)))
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(seen.status[kind], 16) == 0, kind
    check(seen, lab, netns_pid=None)


@pytest.mark.full
def test_a_namespace_made_later_is_unreadable(stage: Stage, lab: Lab) -> None:
    """Its events are seen, and the ledger says what it cannot say."""
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    argv = commands.module("--json", "--user", "nobody", python=stage.python)
    with commands.Child(argv, cwd=stage.folder, env=environment) as child:
        child.wait_tracing()
        with knocker(lab.client, 4108) as other:  # the first process in there
            other.connect()
            child.wait_line('"dport":4108')
            child.interrupt()
            code, out, err = child.end()
    assert code == 0
    ledger = json.loads(out[-1])
    row = next(one for one in ledger["namespaces"] if one["netns"] == lab.client.inode)
    assert row["delivered"] > 0 and row["kernel"] is None and not ledger["total"]["exact"]
    assert "kernel counter unreadable in " in err[-2]


@pytest.mark.full
def test_no_namespace_is_kept_alive(stage: Stage, nothing_left_behind: None) -> None:
    """When its last user has gone it goes, and with it the other end of its link."""
    argv = commands.module("--user", "nobody", python=stage.python)
    with Lab() as lab:
        with knocker(lab.client, 4110) as other, commands.Child(argv, cwd=stage.folder) as child:
            child.wait_tracing()
            lab.client.close()
            assert lab.device in lab.server.run(["ip", "-brief", "link"])
            other.end()
            child.wait_for(lambda: lab.device not in lab.server.run(["ip", "-brief", "link"]), "end of a namespace", 10)


@pytest.mark.full
def test_modules_that_the_user_may_not_read(stage: Stage, lab: Lab) -> None:
    """Nothing is imported any more after the drop, neither of ours nor of Python's."""
    os.chmod(stage.folder, 0o700)
    names = "time,pid,comm,raddr,reason,user,netns,workload,cmdline"
    argv = commands.module("-v", "--user", "nobody", "-o", names, python=sys.executable)
    with knocker(lab.client, 4111) as other, commands.Child(argv, cwd=stage.folder) as child:
        child.wait_tracing()
        other.connect()
        child.wait_line(":4111", str(other.pid))
        child.interrupt()
        code, _, err = child.end()
    assert code == 0 and "Traceback" not in "".join(err), err


def test_killed_after_the_drop(stage: Stage) -> None:
    """The kernel takes the programs away; nothing_left_behind looks."""
    argv = commands.module("--user", "nobody", python=stage.python)
    with commands.Child(argv, cwd=stage.folder) as child:
        child.wait_tracing()
        child.interrupt(signal.SIGKILL)
        assert child.end()[0] == -signal.SIGKILL


def test_no_right_to_become_somebody(stage: Stage) -> None:
    code, _, err = commands.run(as_user(NOBODY, TRACING) + commands.module("--user", "1:1", python=stage.python),
                                cwd=stage.folder)
    assert code == 3
    commands.one_sentence(err, "CAP_SETUID", "user 1")


def test_a_user_that_this_container_has_not(stage: Stage) -> None:
    """In a user namespace nothing can be traced, so the library alone is asked."""
    script = ("from retrans_ctypes import _library\n"
              "native = _library.NativeTracer(_library.load()._native, _library.Handle(1))\n"
              "try: native.drop_rights(54321, 54321)\n"
              "except Exception as error: print(type(error).__name__, error)")
    done = subprocess.run(["unshare", "--user", "--map-root-user", stage.python, "-c", script], cwd=stage.folder,
                          stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert done.stdout.startswith(("UsageError cannot become", "PermissionDenied cannot become"))


@pytest.mark.parametrize("uid, gid", [(65534, 2**32 - 1), (2**32 - 1, 65534)])
def test_no_number_that_means_as_before(stage: Stage, uid: int, gid: int) -> None:
    """To setresuid() and setresgid() it does, so root's group would stay."""
    script = ("import os\n"
              "from retrans_ctypes import _library\n"
              "native = _library.NativeTracer(_library.load()._native, _library.Handle(1))\n"
              "try: native.drop_rights({}, {})\n"
              "except Exception as error: print(type(error).__name__, os.getresuid(), os.getresgid())").format(uid, gid)
    done = subprocess.run([stage.python, "-c", script], cwd=stage.folder, stdout=subprocess.PIPE,
                          universal_newlines=True, check=True)
    assert done.stdout == "UsageError (0, 0, 0) (0, 0, 0)\n"


def test_other_threads_would_keep_their_rights(stage: Stage) -> None:
    script = ("import threading, retrans_ctypes\n"
              "wait = threading.Event()\n"
              "thread = threading.Thread(target=wait.wait)\n"
              "with retrans_ctypes.Tracer() as tracer:\n"
              "    thread.start()\n"
              "    try: tracer.drop_rights(65534, 65534)\n"
              "    except retrans_ctypes.RetransError as error: print(error)\n"
              "wait.set()\n"
              "thread.join()\n")
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert "other threads" in done.stdout


def test_what_this_kernel_wants_kept(stage: Stage) -> None:
    """Asked with all rights and with none, it says the same; and capabilities are back in effect after that."""
    script = ("from retrans_ctypes import Tracer\n"
              "status = lambda: [line for line in open('/proc/self/status') if line.startswith('Cap')]\n"
              "before = status()\n"
              "print(Tracer.lasting_rights(), status() == before)")
    told = {subprocess.run(before + [stage.python, "-c", script], cwd=stage.folder, stdout=subprocess.PIPE,
                           universal_newlines=True, check=True).stdout
            for before in ([], as_user(NOBODY, ()), as_user(NOBODY, TRACING))}
    assert len(told) == 1 and told.pop().strip() in ("() True", "('CAP_BPF',) True", "('CAP_SYS_ADMIN',) True")
