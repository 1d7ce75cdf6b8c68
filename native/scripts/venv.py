# SPDX-License-Identifier: BSD-2-Clause
"""Make the virtual environment of the tests: the pinned tools of pyproject.toml's [dev] extra.

    venv.py PYPROJECT FOLDER
"""
import os
import shutil
import signal
import subprocess
import sys
from typing import List

OLDEST = (3, 11)  # tomllib; what the pinned tools run on. The package itself runs on 3.6.


def pinned_tools(pyproject: str) -> List[str]:
    import tomllib

    with open(pyproject, "rb") as file:
        tools = tomllib.load(file)["project"]["optional-dependencies"]["dev"]
    return [str(tool) for tool in tools]


def main(pyproject: str, folder: str) -> None:
    if sys.version_info < OLDEST:
        sys.exit("venv: the tests need Python {}.{} or later, and {} is {}.{}. Name one with "
                 "PYTHON=/path/to/python3.".format(*OLDEST, sys.executable, *sys.version_info))
    tools = pinned_tools(pyproject)
    print("  VENV    " + " ".join(tools), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.check_call([sys.executable, "-m", "venv", folder])
    python = os.path.join(folder, "bin", "python")
    if subprocess.call([python, "-m", "pip", "install", "--quiet", "--no-compile",
                        "--disable-pip-version-check"] + tools) != 0:
        sys.exit("venv: pip could not install the test tools (its reason is above). With no network, "
                 "put their wheels into a folder and name it in PIP_FIND_LINKS, with PIP_NO_INDEX=1.")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
