"""Run a command in another kernel, with this machine's files.

    PYTHONPATH=tests python3 -m vm [options] KERNEL -- COMMAND [ARGUMENT...]
    PYTHONPATH=tests python3 -m vm --list

KERNEL is a series such as 5.10, or "newest", or the exact version of a cached one. The guest sees
this machine's root; what it writes is lost at its end, other than in the folders that --writable
names. Exit status: the command's; 124 where it was not done in time, 125 where the guest ended
without one, 1 where none could be started.
"""
import argparse
import os
import signal
import sys
from typing import List, Tuple

from . import machine
from .archive import NotFetched
from .image import NoImage
from .kernels import Choice

PASSED_ON = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "RETRANS_CTYPES_LIBRARY")


def parse(argv: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    cut = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(
        prog="python3 -m vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", nargs="?", metavar="KERNEL")
    parser.add_argument("--list", action="store_true", help="say which kernels can be had")
    parser.add_argument("--ask", action="store_true", help="ask the archive even if the cache has that series")
    parser.add_argument("--no-btf", action="store_true", help="hide the kernel's BTF")
    parser.add_argument("--writable", action="append", default=[], metavar="DIR", help="may be given again")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS")
    parser.add_argument("--append", default="", metavar="ARGUMENTS", help="more arguments for the kernel")
    parser.add_argument("--log", action="store_true", help="print the kernel's log at the end")
    options = parser.parse_args(argv[:cut])
    command = argv[cut + 1:]
    if not options.list and not (options.kernel and command):
        parser.error("KERNEL and, after --, COMMAND are needed")
    return options, command


def choice(options: argparse.Namespace) -> Choice:
    """Asking the archive takes seconds: not for a series that was fetched before."""
    if not options.ask and not options.list:
        known = Choice(ask=False)
        if options.kernel in known.cached or known.versions(options.kernel):
            return known
    return Choice()


def list_kernels() -> None:
    kernels = Choice()
    for series in kernels.series():
        version = kernels.versions(series)[0]
        print("{:<6} {}{}".format(series, version, " (cached)" if version in kernels.cached else ""))
    if kernels.problem:
        print("vm: {}; only cached kernels are used".format(kernels.problem), file=sys.stderr)


def main(argv: List[str]) -> int:
    options, command = parse(argv)
    if options.list:
        list_kernels()
        return 0
    kernel = choice(options).get(options.kernel)
    done = machine.run(kernel, command, machine.Options(
        options.timeout, options.memory, options.no_btf, options.append, options.writable,
        {name: os.environ[name] for name in PASSED_ON if name in os.environ}, os.getcwd()))
    if options.log:
        print(done.log, file=sys.stderr)
    if done.problem:
        print("vm: {}: {}".format(kernel.version, done.problem), file=sys.stderr)
    return done.status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    try:
        sys.exit(main(sys.argv[1:]))
    except (NotFetched, NoImage) as error:
        sys.exit("vm: {}".format(error))
    except KeyboardInterrupt:
        sys.exit(130)
