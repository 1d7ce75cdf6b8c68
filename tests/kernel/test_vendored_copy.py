"""The package copied into somebody else's tree, under another name, works from there."""
import sys
from typing import List

import pytest
from lab import commands
from lab.counters import Counters
from lab.link import V4, Lab
from lab.stage import copy_package, open_folder
from lab.traffic import connecting

BARE = [sys.executable, "-B", "-E", "-S", "-s"]  # no environment, no site-packages
AS_LIBRARY = """
from {name} import Tracer
with Tracer() as tracer:
    print("Tracing", flush=True)
    for event in tracer:
        print(event.daddr, event.dport, event.reason, type(tracer).__module__, flush=True)
"""


@pytest.mark.parametrize("name", ["copied_tracer", "app.thirdparty.their_name"])
def test_copy_under_another_name(lab: Lab, nothing_left_behind: None, name: str) -> None:
    def start(*arguments: str) -> commands.Child:
        return commands.Child(BARE + list(arguments), cwd=folder, env={})

    with open_folder() as folder:
        copy_package(folder, name)
        with start("-m", name) as command, start("-c", AS_LIBRARY.format(name=name)) as library:
            command.wait_tracing()
            library.wait_tracing()
            counters = Counters(lab.client)
            with connecting(lab.client, V4.dead, 4051):
                counters.wait("TCPSynRetrans", 1)
                command.wait_line(V4.dead + ":4051", "SYN_SENT")
                line: List[str] = library.wait_line(V4.dead, "4051").split()
            command.interrupt()
            assert command.end()[0] == 0
    assert line[2] == "syn"
    assert line[3].startswith(name + ".")
