"""Every way of attaching, with every buffer, one after the other; then again with BTF hidden.

    python3 -m vm.guest.trials RESULT.json [ATTACH BUFFER BTF]

Each trial is a process of its own: what goes wrong in one is its own result.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from typing import Any, Dict, List, Optional

from .offers import offers
from .trial import Trial, run

BTF = "/sys/kernel/btf"
CLONE_NEWNS = 0x20000
SECONDS = 200  # for one trial; it takes about ten

# The first is the same as the second, once it is attached; and two of those without BTF cannot be.
WITH_BTF = [Trial("auto", "auto", "kernel", traffic=False)] + [
    Trial(attach, buffer, "kernel")
    for attach in ("tp_btf", "raw_tp", "tp", "kprobe") for buffer in ("ring", "perf")]
WITHOUT = [
    Trial("auto", "auto", "hidden"), Trial("tp", "perf", "hidden"), Trial("raw_tp", "ring", "file"),
    Trial("auto", "auto", "file", traffic=False), Trial("raw_tp", "ring", "hidden", traffic=False),
    Trial("tp_btf", "ring", "hidden", traffic=False)]
ALL = WITH_BTF + WITHOUT


def hide_btf(empty: str) -> None:
    """For this process and its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", empty, BTF], check=True)


def in_child(trial: Trial, copy: str, empty: str) -> Dict[str, Any]:
    """Run a trial in a process of its own and fetch its document."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        signal.alarm(SECONDS)
        document = dict(trial._asdict(), refused=None)
        try:
            if trial.btf != "kernel":
                hide_btf(empty)
            document = run(trial, copy if trial.btf == "file" else None)
        except BaseException:
            document["broken"] = traceback.format_exc()
        with os.fdopen(writing, "w") as pipe:
            json.dump(document, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not text:
        return dict(trial._asdict(), refused=None, broken="the process ended with wait status {}".format(status))
    return dict(json.loads(text))


def summary(document: Dict[str, Any]) -> str:
    for name in ("broken", "refused"):
        if document.get(name):
            return "{}: {}".format(name, document[name])
    if not document["traffic"]:
        return "attached by {attach}, {buffer} buffer".format(**document["capabilities"])
    return "{}; owners {}; {} s".format(document["events"], document["owners"], document["seconds"])


def main(result: str, chosen: Optional[Trial]) -> None:
    documents: List[Dict[str, Any]] = []
    offered = offers()
    with tempfile.TemporaryDirectory(prefix="retrans-btf-") as folder:
        copy, empty = os.path.join(folder, "vmlinux"), os.path.join(folder, "empty")
        os.mkdir(empty)
        if os.path.exists(BTF + "/vmlinux"):
            shutil.copyfile(BTF + "/vmlinux", copy)
        for trial in [chosen] if chosen else ALL:
            documents.append(in_child(trial, copy, empty))
            print("{} {}: {}".format(os.uname().release, trial.name, summary(documents[-1])), flush=True)
            with open(result, "w") as file:
                json.dump({"release": os.uname().release, "offers": offered, "trials": documents}, file)


if __name__ == "__main__":
    main(sys.argv[1], Trial(*sys.argv[2:5]) if len(sys.argv) > 2 else None)
