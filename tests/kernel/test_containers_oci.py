"""Real containers with the capabilities that docs/privileges.md names, and no others."""
import json
from typing import Any, Dict, List, Tuple

import pytest
from lab import commands, oci
from lab.knocking import knocker
from lab.link import Lab

pytestmark = pytest.mark.full

PORT = 4301
TRACING = ["CAP_BPF", "CAP_PERFMON"]
WHOLE = TRACING + ["CAP_SYS_PTRACE"]


def trace(lab: Lab, *arguments: str, **options: Any) -> Tuple[int, Dict[str, Any], Dict[str, Any], List[str]]:
    """(owner's pid, its last event, its namespace's row, stderr)"""
    argv = commands.module("--json", "--duration", "3.5", *arguments)
    with knocker(lab.client, PORT) as other:
        with oci.container(argv, **options) as child:
            child.wait_tracing()
            other.connect()
            code, out, err = child.end()
        pid = other.pid
    assert code == 0, "\n".join(err)
    records = [json.loads(line) for line in out]
    rows = {row["netns"]: row for row in records[-1]["namespaces"]}
    return pid, [one for one in records if one.get("dport") == PORT][-1], rows[lab.client.inode], err


def test_two_capabilities_trace(lab: Lab, nothing_left_behind: None) -> None:
    """The pid is the host's; nothing is looked up by it in a container's own /proc."""
    pid, event, row, _ = trace(lab, capabilities=TRACING)
    assert (event["owner_pid"], event["netns"]) == (pid, lab.client.inode)
    assert [event[name] for name in ("cmdline", "netns_pid", "user")] == [None] * 3
    assert row["kernel"] is None and row["delivered"] > 0


def test_with_the_hosts_pids(lab: Lab, nothing_left_behind: None) -> None:
    pid, event, row, _ = trace(lab, capabilities=WHOLE, host_pids=True)
    assert event["owner_pid"] == event["netns_pid"] == pid and event["cmdline"].endswith(" %d" % PORT)
    assert event["user"] is None
    assert row["unexplained"] == 0


@pytest.mark.parametrize("host_pids", [True, False])
def test_with_the_hosts_root_folder(lab: Lab, nothing_left_behind: None, host_pids: bool) -> None:
    pid, event, row, _ = trace(lab, capabilities=WHOLE, host_pids=host_pids, host=True)
    assert event["owner_pid"] == event["netns_pid"] == pid and event["cmdline"].endswith(" %d" % PORT)
    assert (event["user"], event["cgroup"]) == ("root", "/")
    assert row["unexplained"] == 0


def test_dropping_rights_in_there(lab: Lab, nothing_left_behind: None) -> None:
    pid, event, row, _ = trace(lab, "--user", "65534:65534", host_pids=True, host=True,
                               capabilities=WHOLE + ["CAP_SETUID", "CAP_SETGID"])
    assert event["owner_pid"] == pid and event["cmdline"].endswith(" %d" % PORT) and row["unexplained"] == 0


def test_no_capabilities(nothing_left_behind: None) -> None:
    with oci.container(commands.module(), capabilities=[]) as child:
        code, _, err = child.end()
    assert code == 3
    commands.one_sentence(err, "CAP_BPF and CAP_PERFMON")


def test_a_seccomp_profile_without_bpf(nothing_left_behind: None) -> None:
    with oci.container(commands.module(), capabilities=WHOLE, forbidden=["bpf"]) as child:
        code, _, err = child.end()
    assert code == 3
    commands.one_sentence(err, "seccomp")
