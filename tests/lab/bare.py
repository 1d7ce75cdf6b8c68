"""A root folder with one Python, /bin/sh and the C library, and nothing else: no coreutils either."""
import glob
import os
import re
import shutil
import subprocess
from typing import List, Set

from .interpreters import Interpreter

LEFT_OUT = ("test", "tests", "site-packages", "config-*", "__pycache__", "idlelib", "lib2to3", "ensurepip",
            "tkinter", "turtledemo", "*.a")

# Inside a mount namespace of its own, so that nothing is left mounted however this ends.
ENTER = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         'root=$0; mount -t proc none "$root/proc" && mount --rbind /sys "$root/sys" && '
         'mount --make-rslave "$root/sys" && '
         'exec env -i PATH=/usr/bin:/bin "$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)" "$root" "$@"']


def libraries(path: str) -> Set[str]:
    """What the dynamic linker would load for it, itself included."""
    said = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True).stdout
    return set(re.findall(r"(/\S+) \(0x", said))


class BareRoot:
    """`python` is the name under which its interpreter lies there, in /usr/bin or with a slash."""

    def __init__(self, folder: str, interpreter: Interpreter, python: str = "/usr/bin/python3") -> None:
        self.folder = folder
        for name in ("proc", "sys", "usr/bin", "usr/libexec", "bin", "tmp", "opt"):
            os.makedirs(self.inside(name))
        os.chmod(self.inside("tmp"), 0o1777)
        shutil.copy(os.path.realpath("/bin/sh"), self.inside("bin/sh"))
        shutil.copy(interpreter.path, self.inside(python))
        version = "python{}.{}".format(*interpreter.version[:2])
        modules = os.path.join(os.path.dirname(os.path.dirname(interpreter.path)), "lib", version)
        target = self.inside("usr/lib/" + version)
        shutil.copytree(modules, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
        needed = libraries(interpreter.path) | libraries("/bin/sh")
        for module in glob.glob(os.path.join(modules, "lib-dynload", "*.so")):
            needed |= libraries(module)
        # no host is without: the C library itself opens it when a thread ends, as Python 3.6's all do
        beside = {os.path.join(os.path.dirname(library), "libgcc_s.so.1") for library in needed}
        needed |= {library for library in beside if os.path.exists(library)}
        for library in needed:
            os.makedirs(os.path.dirname(self.inside(library)), exist_ok=True)
            shutil.copy(library, self.inside(library))

    def inside(self, path: str) -> str:
        """Where a path of that root lies for us."""
        return os.path.join(self.folder, path.lstrip("/"))

    def argv(self, *command: str) -> List[str]:
        return ENTER + [self.folder] + list(command)

    def files(self) -> Set[str]:
        return {os.path.join(folder, name) for folder, folders, names in os.walk(self.folder)
                for name in folders + names}
