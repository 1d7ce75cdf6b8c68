"""One run of one command in one kernel, under QEMU's software emulation.

The guest sees this machine's root read-only through virtiofs, with a writable layer in its memory
above it, under the same paths. Mounts are made in a mount namespace of their own; whatever ends a
run, no mount, process or file of it is left.
"""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Dict, List, NamedTuple, Optional, Sequence

from . import image
from .kernels import Kernel

TIMED_OUT, DIED = 124, 125
LOG_TAIL = 25

# Not shared with the guest: it has its own, or what is there belongs to this machine only.
OWN = ("/proc", "/sys", "/dev", "/run")
VIRTUAL = {"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "bpf", "tracefs", "debugfs", "mqueue",
           "securityfs", "pstore", "configfs", "fusectl", "hugetlbfs", "binfmt_misc", "autofs", "nsfs"}

ARGUMENTS = ("console=ttyS0,115200 8250.nr_uarts=2 quiet panic=-1 oops=panic nokaslr mitigations=off "
             "random.trust_cpu=on tsc=reliable cryptomgr.notests")


class Options(NamedTuple):
    """How to run it."""

    seconds: float = 120
    memory: int = 1024                   # MiB
    hide_btf: bool = False
    append: str = ""                     # more kernel arguments
    writable: Sequence[str] = ()         # folders, under the same path in the guest
    environment: Dict[str, str] = {}
    folder: str = "/"                    # where the command starts


class Outcome(NamedTuple):
    """What came of it."""

    status: int        # the command's; TIMED_OUT or DIED
    problem: str       # a sentence, where the command did not come to its own end
    log: str           # the kernel's
    seconds: float


def daemon() -> str:
    for path in ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"):
        if os.path.exists(path):
            return path
    raise image.NoImage("virtiofsd is missing; `python3 native/scripts/setup.py vm` installs it")


def other_mounts() -> List[str]:
    """File systems with files in them that this machine has mounted below its root."""
    with open("/proc/self/mounts") as table:
        rows = [line.split()[:3] for line in table]
    places = [place.encode().decode("unicode_escape") for _, place, kind in rows
              if kind not in VIRTUAL and os.path.isdir(place)]
    return sorted({place for place in places
                   if place != "/" and not any((place + "/").startswith(own + "/") for own in OWN)})


class Run:
    """The files and processes of one run, in a folder that goes away with it."""

    def __init__(self, stack: ExitStack, options: Options) -> None:
        self.stack = stack
        self.options = options
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retrans-vm-"))
        self.control = self.path("control")
        self.socket = self.path("socket")
        for name in ("share", "control"):
            os.mkdir(self.path(name))

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def instruct(self, command: Sequence[str]) -> None:
        """Write what the guest's init reads."""
        environment = dict({"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}, **self.options.environment)
        words = ["env", "-i"] + ["=".join(item) for item in environment.items()] + list(command)
        self._write("command", "cd {}\nexec {}\n".format(shlex.quote(self.options.folder), shlex.join(words)))
        self._write("mounts", "".join(place + "\n" for place in other_mounts()))
        self._write("writable", "".join("{} {}\n".format(number, os.path.abspath(place))
                                        for number, place in enumerate(self.options.writable)))
        if self.options.hide_btf:
            self._write("hide-btf", "")

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.control, name), "w") as file:
            file.write(text)

    def mount_script(self) -> str:
        """Builds the shared tree in a mount namespace of its own, then becomes the daemon."""
        share = shlex.quote(self.path("share"))
        lines = ["set -e", "mount --make-rprivate /",
                 "mount -t tmpfs tmpfs {0}; mkdir {0}/root {0}/control {0}/writable".format(share)]
        for place in ["/"] + other_mounts():
            lines += ["mount --bind {0} {1}; mount -o remount,bind,ro {1}".format(
                shlex.quote(place), shlex.quote((self.path("share") + "/root" + place).rstrip("/")))]
        lines += ["mount --bind {} {}/control".format(shlex.quote(self.control), share)]
        for number, place in enumerate(self.options.writable):
            target = "{}/writable/{}".format(share, number)
            lines += ["mkdir {1}; mount --bind {0} {1}".format(shlex.quote(os.path.abspath(place)), target)]
        lines += ["exec {} --socket-path={} -o source={} -o sandbox=chroot -o cache=always -o log_level=err "
                  "--thread-pool-size=4".format(daemon(), shlex.quote(self.socket), share)]
        return "\n".join(lines)

    def start(self, argv: List[str], log: str) -> "subprocess.Popen[bytes]":
        """A process that dies with this one, even if that is killed."""
        with open(self.path(log), "wb") as errors:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + argv, stdin=subprocess.DEVNULL,
                                       stderr=errors, start_new_session=True)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def share(self) -> None:
        serving = self.start(["unshare", "-m", "--propagation", "unchanged", "sh", "-c", self.mount_script()],
                             "share.log")
        deadline = time.monotonic() + 10
        while not os.path.exists(self.socket):
            if serving.poll() is not None or time.monotonic() > deadline:
                raise image.NoImage("this machine's root cannot be shared with a guest: " +
                                    self.read("share.log").strip())
            time.sleep(0.01)

    def boot(self, booted: image.Image) -> "subprocess.Popen[bytes]":
        memory = "memory-backend-memfd,id=memory,size={}M,share=on".format(self.options.memory)
        return self.start(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
             "-machine", "q35", "-accel", "tcg,thread=single,tb-size=256", "-cpu", "max", "-smp", "1",
             "-m", str(self.options.memory), "-object", memory, "-numa", "node,memdev=memory",
             "-kernel", booted.kernel, "-initrd", booted.initramfs,
             "-append", (ARGUMENTS + " " + self.options.append).strip(),
             "-chardev", "socket,id=share,path=" + self.socket,
             "-device", "vhost-user-fs-pci,chardev=share,tag=share,queue-size=1024",
             "-serial", "file:" + self.path("kernel.log"), "-serial", "stdio"], "qemu.log")

    def read(self, name: str) -> str:
        try:
            with open(self.path(name), errors="replace") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""


def outcome(one: Run, started: float, timed_out: bool) -> Outcome:
    log, status, problem = one.read("kernel.log"), one.read("control/status"), ""
    if timed_out:
        status, problem = str(TIMED_OUT), "not done after {:.0f} s".format(one.options.seconds)
    elif not status:
        status, problem = str(DIED), "the guest ended without a word" + (
            "; QEMU says: " + one.read("qemu.log").strip() if one.read("qemu.log") else "")
    if problem and log:
        problem += "; the kernel's log ends:\n" + "\n".join(log.splitlines()[-LOG_TAIL:])
    return Outcome(int(status), problem, log, time.monotonic() - started)


def run(kernel: Kernel, command: Sequence[str], options: Options = Options(),
        output: Optional[int] = None) -> Outcome:
    """Boot `kernel`, run `command` in it, power off. `output`: a descriptor, else ours. Raises NoImage."""
    for tool in ("qemu-system-x86_64", "unshare", "setpriv"):
        if not shutil.which(tool):
            raise image.NoImage("{} is missing; `python3 native/scripts/setup.py vm` installs it".format(tool))
    booted = image.of(kernel)
    with ExitStack() as stack:
        one = Run(stack, options)
        one.instruct(command)
        one.share()
        started = time.monotonic()
        machine = one.boot(booted)
        try:
            machine.wait(options.seconds)
        except subprocess.TimeoutExpired:
            return outcome(one, started, True)
        return outcome(one, started, False)
