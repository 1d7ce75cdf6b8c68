"""cgroups, containers and pods, on made-up hosts of each kind."""
import json
import os
import random
from typing import Any, Tuple

import pytest
from fake_library import event
from made_up_host import CGROUP2, HYBRID2, SYSTEMD, V1, MadeUpHost, mount, names, owned, ticks_ago
from retrans_ctypes.workload import Lookups, Roots, host_roots
from retrans_ctypes.workload.cgroups import find_paths, place_from_lines
from retrans_ctypes.workload.containers import place_of

ID, OTHER = "0123456789abcdef" * 4, "f" * 64
UID = "8e7f9a5c-11d2-4b3a-9c8d-0123456789ab"
BARS = UID.replace("-", "_")
SLICE = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice" % BARS

# path -> unit, container, runtime, pod
PATHS = [
    ("/", None, None, None, None),
    ("/system.slice/nginx.service", "nginx.service", None, None, None),
    ("/system.slice/nginx.service/worker/7", "nginx.service", None, None, None),
    ("/system.slice/_cpu.service", "cpu.service", None, None, None),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", "x.scope", None, None, None),
    ("/system.slice/docker-%s.scope" % ID, "docker-%s.scope" % ID, ID, "docker", None),
    ("/docker/" + ID, None, ID, "docker", None),
    ("/docker/%s/system.slice/inside.service" % ID, None, ID, "docker", None),
    ("/system.slice/docker-%s.scope/init.scope" % ID, "docker-%s.scope" % ID, ID, "docker", None),
    ("/docker/%s/docker/%s" % (OTHER, ID), None, ID, "docker", None),
    (SLICE + "/docker-%s.scope" % ID, "docker-%s.scope" % ID, ID, "docker", UID),
    (SLICE + "/cri-containerd-%s.scope" % ID, "cri-containerd-%s.scope" % ID, ID, "containerd", UID),
    (SLICE + "/crio-%s.scope" % ID, "crio-%s.scope" % ID, ID, "cri-o", UID),
    (SLICE + "/crio-conmon-%s.scope" % ID, "crio-conmon-%s.scope" % ID, None, None, UID),
    ("/kubepods/burstable/pod%s/%s" % (UID, ID), None, ID, None, UID),
    ("/kubepods/pod%s/%s" % ("a" * 32, ID), None, ID, None, "a" * 32),
    ("/kubepods/besteffort/pod%s/crio-%s" % (UID, ID), None, ID, "cri-o", UID),
    ("/system.slice/containerd.service/kubepods-besteffort-pod%s.slice:cri-containerd:%s" % (BARS, ID),
     "containerd.service", ID, "containerd", UID),
    ("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod%s.slice/cri-containerd-%s.scope" % (BARS, ID),
     "cri-containerd-%s.scope" % ID, ID, "containerd", UID),
    ("/docker/%s%s/cri-containerd-%s.scope" % (OTHER, SLICE, ID), "cri-containerd-%s.scope" % ID, ID, "containerd", UID),
    ("/default/" + ID, None, ID, "containerd", None),
    ("/system.slice/nerdctl-%s.scope" % ID, "nerdctl-%s.scope" % ID, ID, "containerd", None),
    ("/machine.slice/libpod-%s.scope" % ID, "libpod-%s.scope" % ID, ID, "podman", None),
    ("/machine.slice/libpod-%s.scope/container" % ID, "libpod-%s.scope" % ID, ID, "podman", None),
    ("/machine.slice/machine-libpod_pod_%s.slice/libpod-%s.scope" % (OTHER, ID), "libpod-%s.scope" % ID, ID, "podman", None),
    ("/libpod_parent/libpod-" + ID, None, ID, "podman", None),
    ("/machine.slice/libpod-conmon-%s.scope" % ID, "libpod-conmon-%s.scope" % ID, None, None, None),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-%s.scope" % ID, "libpod-%s.scope" % ID, ID, "podman", None),
    # Names that only look like the above.
    ("/user.slice/user-1000.slice/user@1000.service" + SLICE + "/cri-containerd-%s.scope" % ID,
     "cri-containerd-%s.scope" % ID, ID, "containerd", None),
    ("/docker/" + ID[:-1], None, None, None, None),
    ("/docker/" + ID.upper(), None, None, None, None),
    ("/my-docker-%s.scope" % ID, "my-docker-%s.scope" % ID, None, None, None),
    ("/jobs/pod%s/x" % UID, None, None, None, None),
]


@pytest.mark.parametrize("path, unit, container, runtime, pod", PATHS, ids=lambda value: str(value)[-40:])
def test_what_a_path_says(path: str, unit: Any, container: Any, runtime: Any, pod: Any) -> None:
    assert place_of(path) == (path, unit, container, runtime, pod)


@pytest.mark.parametrize("row", [row for row in PATHS if row[2]], ids=lambda row: str(row[0])[-40:])
def test_cgroup_v2_by_the_sockets_id(tmp_path: Any, row: Tuple[Any, ...]) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    made = event(cgroup_id=host.cgroup(row[0][1:]))
    host.cgroup("system.slice/other.service")
    assert names(host.workload(made), "cgroup", "unit", "container_id", "runtime", "pod_uid") == list(row)


@pytest.mark.parametrize("mounts", [(V1, SYSTEMD), (HYBRID2, V1, SYSTEMD)], ids=["v1", "hybrid"])
@pytest.mark.parametrize("row", [row for row in PATHS if row[2]], ids=lambda row: str(row[0])[-40:])
def test_cgroup_v1_and_hybrid_by_the_owner(tmp_path: Any, mounts: Any, row: Tuple[Any, ...]) -> None:
    host = MadeUpHost(tmp_path, *mounts)
    lines = "12:pids:%s\n5:cpuset:/\n1:name=systemd:%s\n0::/\n" % (row[0], row[0])
    host.process(7, start=ticks_ago(60), cgroup=lines)
    wrong = host.cgroup("unified/system.slice/wrong.service")
    fields = "cgroup", "unit", "container_id", "runtime", "pod_uid"
    assert names(host.workload(owned(7, cgroup_id=wrong)), *fields) == list(row)
    assert names(host.workload(event(known=1, cgroup_id=wrong)), *fields) == [None] * 5, "no owner, no answer"


def test_the_most_telling_line_counts() -> None:
    def best(*lines: str) -> Any:
        return place_from_lines("".join(line + "\n" for line in lines).encode())

    assert best("4:pids:/docker/" + ID, "1:name=systemd:/system.slice/docker.service").container_id == ID
    assert best("4:pids:/x", "1:name=systemd:/system.slice/a.service").cgroup == "/system.slice/a.service"
    assert best("4:pids:/x", "1:name=systemd:/").cgroup == "/x"
    assert best("4:pids:/", "0::/").cgroup == "/"
    assert best("") is None and best("garbage", "1:2", "1:x:relative") is None
    assert best("1:name=systemd:/../../kubepods/pod%s/%s" % (UID, ID)) is None, "not the host's path"
    assert best("4:pids:/x:y").cgroup == "/x:y"
    assert place_from_lines(b"4:pids:/cut off he") is None


def test_a_bare_id_has_its_runtime_from_containerd(tmp_path: Any) -> None:
    for namespace, runtime in (("k8s.io", "containerd"), ("moby", "docker")):
        host = MadeUpHost(tmp_path / namespace, CGROUP2)
        number = host.cgroup("kubepods/pod%s/%s" % (UID, ID))
        assert host.workload(event(cgroup_id=number)).runtime is None
        host.write("tasks/%s/%s/init.pid" % (namespace, ID), "1")
        assert host.workload(event(cgroup_id=number)).runtime == runtime


def test_pods_have_names(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    number = host.cgroup(SLICE[1:] + "/crio-%s.scope" % ID)
    fields = "pod_uid", "pod_namespace", "pod_name"
    assert names(host.workload(event(cgroup_id=number)), *fields) == [UID, None, None]
    for folder in ("shop_cart-7d9_" + UID, "shop_other_" + UID[::-1], "no-underscore", "a_b_c_" + UID, "__" + UID):
        os.makedirs(host.path("pods", folder))
    assert names(host.workload(event(cgroup_id=number)), *fields) == [UID, "shop", "cart-7d9"]


def test_many_long_lines_are_read_whole(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, V1)
    lines = "".join("%d:c%d:/%s\n" % (number, number, "x" * 900) for number in range(12))
    host.process(7, start=ticks_ago(60), cgroup=lines + "1:name=systemd:/docker/%s\n" % ID)
    assert host.workload(owned(7)).container_id == ID


def test_no_cgroups_at_all(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path)
    host.process(7, start=ticks_ago(60), cgroup="")
    workload = host.workload(owned(7, cgroup_id=host.cgroup("x")))
    assert workload.cgroup is None and workload.cmdline == "prog -x"


@pytest.mark.parametrize("mounts", [(CGROUP2,), (V1,)])
def test_inside_a_cgroup_namespace_paths_are_not_the_hosts(tmp_path: Any, mounts: Any) -> None:
    host = MadeUpHost(tmp_path, *mounts)
    host.move("cgroup", 4026532000)
    host.process(7, start=ticks_ago(60), cgroup="4:pids:/x.service\n")
    workload = host.workload(owned(7, cgroup_id=host.cgroup("x.service")))
    assert (workload.cgroup, workload.unit) == (None, None)


@pytest.mark.parametrize("where", ["host", "container"])
def test_a_debug_container_reads_the_hosts_tree(tmp_path: Any, where: str, monkeypatch: Any) -> None:
    """Two cgroup v2 mounts: the container's own comes first, and counts for nothing."""
    host = MadeUpHost(tmp_path, mount("/sys/fs/cgroup", "cgroup2"), CGROUP2)
    host.move("cgroup", 4026532000)
    monkeypatch.setattr("retrans_ctypes.roots._TOP_CGROUP", os.stat(host.path("cgroup")).st_ino)
    roots = host.roots()._replace(host=host.top if where == "host" else "/elsewhere")
    with Lookups(roots) as lookups:
        workload = lookups.workload(event(cgroup_id=host.cgroup("a.service")))
    assert workload.unit == ("a.service" if where == "host" else None)


@pytest.mark.parametrize("kind", ["cgroup", "pid"])
def test_the_whole_tree_in_a_container(tmp_path: Any, monkeypatch: Any, kind: str) -> None:
    """It is known by its root's number, wherever this process stands."""
    host = MadeUpHost(tmp_path, CGROUP2)
    host.move(kind, 4026532000)
    monkeypatch.setattr("retrans_ctypes.roots._TOP_CGROUP", os.stat(host.path("cgroup")).st_ino)
    assert host.workload(event(cgroup_id=host.cgroup("a.service"))).cgroup == "/a.service"


@pytest.mark.parametrize("root, inner, outer", [
    ("/docker/" + ID, "/docker/" + ID, "/docker/%s/x" % ID), ("/../other", None, None)])
def test_a_container_that_has_only_a_part_mounted(tmp_path: Any, root: str, inner: Any, outer: Any) -> None:
    """Outside of cgroup namespaces the mount table tells which part it is."""
    host = MadeUpHost(tmp_path, mount("{0}/cgroup", "cgroup2", root=root))
    assert host.workload(event(cgroup_id=host.cgroup("."))).cgroup == inner
    assert host.workload(event(cgroup_id=host.cgroup("x"))).cgroup == outer


def test_the_roots_in_a_debug_container(tmp_path: Any) -> None:
    assert host_roots(str(tmp_path)) == Roots()
    host = MadeUpHost(tmp_path)
    host.process(1, start=1)
    roots = host_roots(host.top)
    assert (roots.host, roots.proc, roots.own) == (host.top, host.path("proc"), "/proc/self")
    assert (roots.netns, roots.pods) == (host.path("run/netns"), host.path("var/log/pods"))
    assert (roots.passwd, roots.tasks) == (
        host.path("etc/passwd"), host.path("run/containerd/io.containerd.runtime.v2.task"))


def test_mount_points_with_spaces(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path / "a b", mount(str(tmp_path / "a b/cgroup").replace(" ", "\\040"), "cgroup2"))
    assert host.workload(event(cgroup_id=host.cgroup("x.scope"))).unit == "x.scope"


def test_names_that_are_no_text(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    number = host.cgroup(b"\x1b[31m\xff\"\\\t.service")
    workload = host.workload(event(cgroup_id=number))
    assert workload.cgroup == '/\x1b[31m\\xff"\\\t.service'
    workload.cgroup.encode("utf-8")


def test_paths_of_4096_bytes(tmp_path: Any) -> None:
    """Longer than any system call takes. A part of a path would be another cgroup's."""
    fits = place_from_lines(b"3:pids:/" + b"a" * 4095 + b"\n")
    assert fits is not None and fits.cgroup == "/" + "a" * 4095
    assert place_from_lines(b"3:pids:/" + b"a" * 4096 + b"\n") is None
    host = MadeUpHost(tmp_path, CGROUP2)
    folder = os.open(host.path("cgroup"), os.O_RDONLY)
    for _ in range(20):
        os.mkdir("b" * 250, dir_fd=folder)
        deeper = os.open("b" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    number = os.fstat(folder).st_ino
    os.close(folder)
    assert host.workload(event(cgroup_id=number)).cgroup is None
    assert host.workload(event(cgroup_id=os.stat(host.path("cgroup")).st_ino)).cgroup == "/"


def test_whatever_a_cgroup_is_called(tmp_path: Any) -> None:
    """Made of pieces that mean something elsewhere: an answer's container is always one of the ids."""
    pieces = [ID.encode(), OTHER.encode(), b"/", b"/docker/", b"/kubepods", b"pod" + UID.encode(), b".slice", b".scope", b"-",
              b"docker-", b"crio-", b":cri-containerd:", b"..", b".service", b"\xff", b"\x1b", b" (deleted)", b"\0", b":", b"_"]
    chance = random.Random(7)
    answers = set()
    for _ in range(20000):
        path = b"/" + b"".join(chance.choice(pieces) for _ in range(chance.randrange(12)))
        place = place_from_lines(b"1:name=systemd:" + path + b"\n")
        if place is not None:
            json.dumps(place).encode("utf-8")
            assert place.container_id in (None, ID, OTHER) and place.pod_uid in (None, UID)
            assert place.unit is None or "/" not in place.unit
            assert place.runtime is None or place.container_id is not None
            answers.add((place.container_id, place.runtime))
    assert {(ID, "docker"), (OTHER, "cri-o"), (None, None), (ID, None)} <= answers


def test_the_walk_is_bounded(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path)
    wanted = {host.cgroup("a/%d" % number) for number in range(50)}
    assert len(find_paths(host.path("cgroup"), wanted)) == 50
    assert len(find_paths(host.path("cgroup"), wanted, limit=20)) < 20
    assert find_paths(host.path("not there"), wanted) == {}


def test_links_are_not_followed(tmp_path: Any) -> None:
    host = MadeUpHost(tmp_path, CGROUP2)
    os.symlink("..", host.path("cgroup", "up"))
    assert host.workload(event(cgroup_id=os.stat(host.path("proc")).st_ino)).cgroup is None
