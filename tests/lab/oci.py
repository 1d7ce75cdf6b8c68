"""Real containers: an OCI bundle whose root folder is this machine's own, run by crun."""
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Sequence

from . import commands

# crun wants cgroups of one kind; some machines have both.
VIEW = """
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec "$0" "$@"
"""
NOT_BOUND = {"proc", "sys", "dev", "run"}


def bundle(folder: str, argv: List[str], capabilities: Sequence[str], host_pids: bool, host: bool,
           forbidden: Sequence[str]) -> None:
    """What an engine makes of `run --cap-drop ALL --cap-add ... --pid=host -v /:/host:ro`."""
    subprocess.run(["crun", "spec"], cwd=folder, check=True)
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config: Dict[str, Any] = json.load(file)
    rootfs = os.path.join(folder, "rootfs")
    os.mkdir(rootfs)
    process, linux = config["process"], config["linux"]
    process.update(terminal=False, args=argv, cwd=os.getcwd())
    process["capabilities"] = {kind: list(capabilities) for kind in process["capabilities"]}
    process["env"] = ["%s=%s" % item for item in os.environ.items()]
    for name in sorted(os.listdir("/")):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), os.path.join(rootfs, name))
        elif os.path.isdir("/" + name) and name not in NOT_BOUND:
            config["mounts"].append(bind("/" + name, "/" + name))
    if host:
        config["mounts"].append(bind("/", "/host"))
    config["root"] = {"path": "rootfs", "readonly": False}
    left_out = {"network"} | ({"pid"} if host_pids else set())
    linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] not in left_out] + [{"type": "cgroup"}]
    linux.pop("resources", None)
    if forbidden:
        linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": list(forbidden), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    with open(path, "w") as file:
        json.dump(config, file)


def bind(source: str, target: str) -> Dict[str, Any]:
    return {"destination": target, "source": source, "type": "bind", "options": ["rbind", "ro"]}


@contextmanager
def container(argv: List[str], capabilities: Sequence[str], host_pids: bool = False, host: bool = False,
              forbidden: Sequence[str] = ()) -> Iterator[commands.Child]:
    """`argv` with these capabilities and no others. `host`: the host's root folder at /host."""
    with tempfile.TemporaryDirectory(prefix="retrans-test-") as folder:
        bundle(folder, argv, capabilities, host_pids, host, forbidden)
        run = ["unshare", "--mount", "/bin/sh", "-ec", VIEW, "crun", "--root", os.path.join(folder, "state"),
               "--cgroup-manager=disabled", "run", "--bundle", folder, "retrans-test-%d" % os.getpid()]
        with commands.Child(run) as child:
            yield child
