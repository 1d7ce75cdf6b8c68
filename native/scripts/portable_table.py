# SPDX-License-Identifier: BSD-2-Clause
"""Print what the portable builds need and hold, as a Markdown table.

    portable_table.py --auditwheel PROGRAM FOLDER...

Each folder holds a libtcpretrans.so and wheel/*.whl. Exits with 1 where auditwheel finds that a wheel
runs on fewer systems than its name says.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
from typing import List

from check import exports, read

COLUMNS = ["build", ".so", "NEEDED", "newest symbol", "functions", "wheel", "auditwheel"]


def only_wheel(folder: str) -> str:
    wheels = glob.glob(os.path.join(folder, "wheel", "*.whl"))
    if len(wheels) != 1:
        sys.exit("portable_table: expected one wheel in {}, found {}".format(folder, wheels))
    return wheels[0]


def audited(program: str, wheel: str) -> str:
    """The platform tag that auditwheel finds consistent with the wheel's content."""
    said = subprocess.check_output([program, "show", wheel], universal_newlines=True)
    found = re.search(r'platform tag:\s*"([^"]+)"', said)
    if not found:
        sys.exit("portable_table: auditwheel says of {}:\n{}".format(wheel, said))
    return found.group(1)


def row(folder: str, tag: str) -> List[str]:
    library = os.path.join(folder, "libtcpretrans.so")
    elf = read(library)
    return [os.path.basename(folder), "{} KB".format(os.path.getsize(library) // 1000),
            ", ".join(sorted(elf.needed)), elf.newest_symbol, str(len(exports(library))),
            "{} KB".format(os.path.getsize(only_wheel(folder)) // 1000), tag]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--auditwheel", required=True)
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    status = 0
    for cells in COLUMNS, ["---"] * len(COLUMNS):
        print("| {} |".format(" | ".join(cells)))
    for folder in arguments.folders:
        wheel = only_wheel(folder)
        tag = audited(arguments.auditwheel, wheel)
        print("| {} |".format(" | ".join(row(folder, tag))))
        if tag not in os.path.basename(wheel):
            print("portable_table: {} runs only where {} does".format(wheel, tag), file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
