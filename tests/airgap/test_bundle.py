"""`make bundle`: the tar, unpacked on a host that has a shell and a Python 3.6 and nothing else."""
import json
import os
import socket
import subprocess
import sys
import tarfile
from typing import Any, Iterator, List, Tuple

import pytest
from lab import commands, interpreters, summary
from lab.bare import BareRoot
from lab.counters import Counters
from lab.link import V4, Lab
from lab.prometheus import get, served_at, values
from lab.stage import open_folder
from lab.traffic import connecting

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INTERPRETERS = interpreters.found()
LIMIT = 1000 * 1000
NO_PYTHON = 127

def make(*arguments: str) -> str:
    """Run make as a person would; returns the path of what it says it packed."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    made = subprocess.run(["make", "-C", os.path.join(ROOT, "native")] + list(arguments), env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert made.returncode == 0, made.stdout
    (line,) = [line for line in made.stdout.splitlines() if line.startswith("native/build/bundle/")]
    return os.path.join(ROOT, line.split(":")[0])


def unpack(archive: str, folder: str) -> str:
    """Returns the one folder that was in it."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    (name,) = os.listdir(folder)
    return os.path.join(folder, name)


@pytest.fixture(scope="module")
def archive(kernel_rights: None) -> str:
    return make("bundle", "EXTRAS=metrics")


@pytest.fixture(scope="module")
def bundle(archive: str) -> Iterator[str]:
    """The unpacked folder, at a path with a space in it."""
    with open_folder() as folder:
        target = os.path.join(folder, "with a space")
        os.mkdir(target)
        yield unpack(archive, target)


@pytest.fixture(scope="module")
def old_host(archive: str) -> Iterator[BareRoot]:
    """A root folder with Python 3.6 (or the oldest there is) and the bundle in /opt."""
    oldest = INTERPRETERS[0]
    if oldest.version[:2] != (3, 6):
        summary.warn("NO PYTHON 3.6 HERE: the bundle ran under {} in the bare chroot".format(oldest.name))
    with open_folder() as folder:
        root = BareRoot(os.path.join(folder, "root"), oldest)
        unpack(archive, root.inside("opt"))
        os.rename(root.inside("opt/" + os.listdir(root.inside("opt"))[0]), root.inside("opt/retrans"))
        yield root


def listing(folder: str) -> List[Tuple[str, float]]:
    return sorted((os.path.join(place, name), os.stat(os.path.join(place, name)).st_mtime)
                  for place, folders, names in os.walk(folder) for name in folders + names)


def run(argv: List[str], **options: Any) -> Tuple[int, List[str], List[str]]:
    options.setdefault("env", {"PATH": os.environ["PATH"]})
    return commands.run(argv, **options)


def test_bare_host_traces_a_retransmit(lab: Lab, old_host: BareRoot) -> None:
    before = old_host.files()
    argv = lab.client.argv(old_host.argv("/opt/retrans/retrans", "--json"))
    with commands.Child(argv, env={"PATH": os.environ["PATH"]}) as child:
        child.wait_tracing(30)
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4081):
            counters.wait("TCPSynRetrans", 1)
        child.wait_line("4081")
        child.interrupt()
        code, out, err = child.end()
    assert code == 0, err
    mine = [record for record in map(json.loads, out) if record["type"] == "event" and record["dport"] == 4081]
    assert {(record["reason"], record["segs"], record["daddr"]) for record in mine} == {("syn", 1, V4.dead)}
    assert old_host.files() == before


def test_bare_host_serves_metrics(lab: Lab, old_host: BareRoot) -> None:
    """With the prometheus-client of the bundle, to another host."""
    before = old_host.files()
    argv = lab.client.argv(old_host.argv("/opt/retrans/retrans", "metrics", "--listen", V4.client + ":0"))
    with commands.Child(argv, env={"PATH": os.environ["PATH"]}) as child:
        place = served_at(child)
        # prometheus-client has Python 3.6 ask `uname -p 2> /dev/null`, which that root does not have
        assert [line for line in child.err.text if "/dev/null" not in line][0].startswith("warning: anyone who reaches")
        with connecting(lab.client, V4.dead, 4082):
            Counters(lab.client).wait("TCPSynRetrans", 1)
            child.wait_for(lambda: sum(scraped(lab, place)) >= 1, "retransmit in a scrape", 10)
        child.interrupt()
        code, out, err = child.end()
    assert (code, out) == (0, []) and "Traceback" not in "\n".join(err), err
    assert old_host.files() == before
    summary.say("air gap: a scrape of the bundle under Python {}".format(INTERPRETERS[0].name))


def scraped(lab: Lab, place: Tuple[str, int]) -> List[float]:
    """Segments of this test's retransmit, as the other side of the link reads them."""
    made = lab.server.socket(socket.AF_INET)
    made.connect(place)
    status, text = get(place, made=made)
    assert status == 200, text
    return values(text, "retrans_segments_total", reason="syn", direction="out", prefix="10.77.0.0/24")


def test_bare_host_without_any_python(archive: str) -> None:
    with open_folder() as folder:
        root = BareRoot(os.path.join(folder, "root"), INTERPRETERS[0], "/usr/bin/python2")
        unpack(archive, root.inside("opt"))
        script = "/opt/{}/retrans".format(os.listdir(root.inside("opt"))[0])
        code, out, err = run(root.argv(script))
    assert (code, out) == (NO_PYTHON, [])
    commands.one_sentence(err, "python3", "/usr/libexec/platform-python", "3.6")


@pytest.mark.full
def test_platform_python_where_there_is_no_python3(archive: str) -> None:
    """As on RHEL 8, where python3 is optional."""
    with open_folder() as folder:
        root = BareRoot(os.path.join(folder, "root"), INTERPRETERS[0], "/usr/libexec/platform-python")
        os.makedirs(root.inside("usr/lib"), exist_ok=True)
        unpack(archive, root.inside("opt"))
        script = "/opt/{}/retrans".format(os.listdir(root.inside("opt"))[0])
        code, out, err = run(root.argv(script, "--duration", "0.3"))
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)


@pytest.mark.parametrize("answer, words", [
    ("exit 1", ("older than Python 3.6",)),
    ("exit 126", ("does not run",)),
])
def test_python_that_does_not_do(bundle: str, tmp_path: Any, answer: str, words: Any) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\n" + answer + "\n")
    (tmp_path / "python3").chmod(0o755)
    code, _, err = run(["/bin/sh", os.path.join(bundle, "retrans")], env={"PATH": str(tmp_path)})
    if os.path.exists("/usr/libexec/platform-python"):
        pytest.fail("this host has a platform-python, which the bundle rightly uses")
    assert code == NO_PYTHON
    commands.one_sentence(err, "python3", *words)


@pytest.mark.full
def test_named_python(bundle: str, tmp_path: Any) -> None:
    python = tmp_path / "my python"
    python.symlink_to(sys.executable)
    code, out, err = run([os.path.join(bundle, "retrans"), "--duration", "0.3"],
                         env={"PATH": "/nowhere", "RETRANS_PYTHON": str(python)})
    assert code == 0, err
    code, _, err = run([os.path.join(bundle, "retrans")],
                       env={"PATH": os.environ["PATH"], "RETRANS_PYTHON": "/nowhere/python"})
    assert code == NO_PYTHON
    commands.one_sentence(err, "/nowhere/python")


def test_other_pythons_refuse_in_one_sentence(bundle: str) -> None:
    """lib/ is for Python 3.6 and later; a Python 2 gets a sentence, not a syntax error."""
    found = interpreters.pythons_2()
    if not found:
        summary.warn("NO PYTHON 2.7 HERE: what the bundle tells it was not tried")
    for python in found:
        code, _, err = run([python, "-B", os.path.join(bundle, "lib")])
        assert code == NO_PYTHON
        commands.one_sentence(err, "Python 2.7", "3.6")


@pytest.mark.parametrize("how", [
    "link to a link", "by its name", pytest.param("link", marks=pytest.mark.full),
    pytest.param("relative", marks=pytest.mark.full), pytest.param("from PATH", marks=pytest.mark.full)])
def test_from_anywhere(bundle: str, tmp_path: Any, how: str) -> None:
    script, folder, env = os.path.join(bundle, "retrans"), str(tmp_path), {"PATH": os.environ["PATH"]}
    argv = [script]
    if "link" in how:
        (tmp_path / "one").symlink_to(script)
        (tmp_path / "two").symlink_to("one")
        argv = ["./two" if how == "link to a link" else "./one"]
    elif how == "relative":
        argv = [os.path.relpath(script, folder)]
    elif how == "by its name":
        argv, folder = ["sh", "retrans"], bundle
    else:
        argv, env["PATH"] = ["retrans"], bundle + os.pathsep + env["PATH"]
    code, out, err = run(["env"] + argv + ["--duration", "0.3"], cwd=folder, env=env)
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)


def test_nothing_of_the_user_gets_in(bundle: str, tmp_path: Any) -> None:
    """Modules of the same names in the current folder, in PYTHONPATH and in the user's own packages."""
    for name in ("retrans_ctypes.py", "json.py", "argparse.py", "sitecustomize.py", "usercustomize.py"):
        (tmp_path / name).write_text("raise SystemExit('somebody else was imported')\n")
    before = listing(bundle)
    code, out, err = run([os.path.join(bundle, "retrans"), "--duration", "0.3"], cwd=str(tmp_path),
                         env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "x"})
    assert code == 0, err
    assert listing(bundle) == before


def test_usage_names_the_script(bundle: str) -> None:
    code, _, err = run([os.path.join(bundle, "retrans"), "--no-such-flag"])
    assert code == 2
    commands.one_sentence(err, "'retrans --help'")


@pytest.mark.full
def test_demo(bundle: str) -> None:
    code, out, err = run([os.path.join(bundle, "retrans"), "demo", "--duration", "2"])
    assert code == 0, err
    assert any("R> " in line for line in out)


def test_small_and_complete(archive: str) -> None:
    assert os.path.getsize(archive) < LIMIT
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = [member.name.split("/", 1)[-1] for member in members]
    for wanted in ("retrans", "README", "lib/retrans_ctypes/libtcpretrans.so", "lib/retrans_ctypes/licenses/LICENSE",
                   "lib/retrans_ctypes/licenses/NOTICE", "lib/retrans_ctypes/licenses/libelf/COPYING-LGPLV3",
                   "lib/prometheus_client-0.17.1.dist-info/LICENSE"):
        assert wanted in names
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
    assert len({member.mtime for member in members}) == 1
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert len(open_text(archive, "README").splitlines()) <= 10


def open_text(archive: str, name: str) -> str:
    with tarfile.open(archive) as tar:
        (member,) = [member for member in tar.getmembers() if member.name.split("/", 1)[-1] == name]
        file = tar.extractfile(member)
        assert file is not None
        return file.read().decode("utf-8")


@pytest.mark.full
def test_same_bytes_twice(archive: str) -> None:
    with open(archive, "rb") as file:
        first = file.read()
    os.remove(archive)
    assert make("bundle", "EXTRAS=metrics") == archive
    with open(archive, "rb") as file:
        assert file.read() == first


@pytest.mark.full
def test_without_extras_there_is_no_prometheus() -> None:
    with tarfile.open(make("bundle")) as tar:
        assert not [name for name in tar.getnames() if "prometheus_client" in name]
