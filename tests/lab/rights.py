"""Whether this machine lets the kernel tests run, said in one sentence where it does not."""
import os
import shutil
from typing import Any, List, Optional

from .netns import Namespace

NO_BPF = os.environ.get("RETRANS_TEST_NO_BPF") == "1"
FULL = os.environ.get("RETRANS_TEST_FULL") == "1"
TRUTH = os.environ.get("RETRANS_TEST_TRUTH") == "1"
LIBRARY = os.environ.get("RETRANS_CTYPES_LIBRARY", "")

NOBODY = 65534
# by number: older setpriv and setcap do not know the names
BPF, PERFMON, SYS_PTRACE, SYS_ADMIN = 39, 38, 19, 21

TOOLS = ("ip", "nft", "nsenter", "unshare", "setpriv", "mount", "bpftool")
CAPABILITIES = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN"}
WAY_OUT = ("; run `make -C native test` as root, "
           "or set RETRANS_TEST_NO_BPF=1 to leave the kernel tests out")


def effective_capabilities() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))


def missing() -> Optional[str]:
    """One sentence about what the kernel tests lack here, or None."""
    if os.geteuid() != 0:
        return "The kernel tests need root, and this is uid {}{}.".format(os.geteuid(), WAY_OUT)
    held = effective_capabilities()
    lacking = [name for bit, name in sorted(CAPABILITIES.items()) if not held >> bit & 1]
    if lacking:
        return "The kernel tests need {}, which root lacks here{}.".format(" and ".join(lacking), WAY_OUT)
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if tools:
        return "The kernel tests need {}; `make -C native deps` installs what is missing.".format(
            ", ".join(tools))
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "The kernel tests need /sys/kernel/btf/vmlinux, which this kernel lacks{}.".format(WAY_OUT)
    try:
        Namespace().close()
    except OSError as error:
        return "The kernel tests need network namespaces, and {}{}.".format(error, WAY_OUT)
    return None


def library_missing() -> Optional[str]:
    """One sentence where the native library that shall be tested is not there."""
    how = "; build it and run the tests with `make -C native test`."
    if not LIBRARY:
        return "RETRANS_CTYPES_LIBRARY does not name the native library" + how
    if not os.path.isfile(LIBRARY):
        return "RETRANS_CTYPES_LIBRARY names {}, which does not exist{}".format(LIBRARY, how)
    return None


def as_user(user: int, capabilities: Any) -> List[str]:
    """What to put before a command. Ambient capabilities, as a systemd unit gives them."""
    listed = ",".join("+cap_%d" % one for one in capabilities) or "-all"
    return ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups",
            "--inh-caps=" + listed, "--ambient-caps=" + listed, "--"]
