"""Loading a library out of a zip file: which places do, what is left there, what refuses."""
import errno
import os
import signal
import threading
from typing import Any, Iterator, List

import pytest
from lab import tried
from retrans_ctypes import _unpack

DATA = b"what the library holds" * 1000
NOBODY = 65534


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture
def no_memory(monkeypatch: Any) -> None:
    """As where SELinux or vm.memfd_noexec refuses it."""
    def refuse(name: str) -> int:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(_unpack, "_memory_file", refuse)


@pytest.fixture
def shared(tmp_path: Any, monkeypatch: Any) -> str:
    """A folder like /tmp, the only one that is tried. Ancestors that pytest made belong to us."""
    folder = str(tmp_path / "shared")
    os.mkdir(folder)
    os.chmod(folder, 0o1777)
    monkeypatch.setattr(_unpack, "_folders", lambda: [folder])
    return folder


def refused(loader: Any = read) -> str:
    with pytest.raises(_unpack.CannotUnpack) as raised:
        _unpack.load(DATA, "lib.so", loader)
    return str(raised.value)


def test_memory_leaves_no_name_anywhere(shared: str) -> None:
    paths: List[str] = []

    def load(path: str) -> bytes:
        paths.append(path)
        assert os.listdir(shared) == []
        return read(path)
    assert _unpack.load(DATA, "lib.so", load) == DATA
    assert paths[0].startswith("/proc/self/fd/")
    assert os.get_inheritable(int(paths[0].rsplit("/", 1)[1])) is False


def test_two_in_one_process_have_two_names() -> None:
    """The loader takes two of one name for the same library."""
    names = [_unpack.load(data, "lib.so", lambda path: (path, read(path))) for data in (b"one", b"two")]
    assert names[0][0] != names[1][0] and [data for _, data in names] == [b"one", b"two"]


def test_folder_is_private_and_removed(no_memory: None, shared: str) -> None:
    def load(path: str) -> bytes:
        private = os.stat(os.path.dirname(path))
        assert os.path.dirname(os.path.dirname(path)) == shared
        assert (private.st_mode & 0o777, private.st_uid) == (0o700, os.geteuid())
        return read(path)
    assert _unpack.load(DATA, "lib.so", load) == DATA
    assert os.listdir(shared) == []


def test_names_cannot_be_foreseen(no_memory: None, shared: str) -> None:
    paths = {_unpack.load(DATA, "lib.so", lambda path: path) for _ in range(20)}
    assert len(paths) == 20


def test_what_refuses_to_load_is_removed_and_told(no_memory: None, shared: str) -> None:
    def load(path: str) -> bytes:
        raise OSError("failed to map segment from shared object")
    said = refused(load)
    assert "memory (Permission denied)" in said and "failed to map segment" in said and shared in said
    assert os.listdir(shared) == []


def test_any_other_failure_is_not_tried_elsewhere(shared: str) -> None:
    calls: List[str] = []

    def load(path: str) -> bytes:
        calls.append(path)
        raise ValueError("not for this machine")
    with pytest.raises(ValueError):
        _unpack.load(DATA, "lib.so", load)
    assert len(calls) == 1


def test_ctrl_c_waits_until_all_is_removed(no_memory: None, shared: str) -> None:
    assert threading.current_thread() is threading.main_thread()

    def load(path: str) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return read(path)
    with pytest.raises(KeyboardInterrupt):
        _unpack.load(DATA, "lib.so", load)
        signal.pause()  # never: the signal came as soon as it was let through
    assert os.listdir(shared) == []


def test_full_disk_goes_on_to_the_next_place(no_memory: None, tmp_path: Any, monkeypatch: Any) -> None:
    folders = [str(tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        os.mkdir(folder)
    monkeypatch.setattr(_unpack, "_folders", lambda: folders)
    write = os.write

    def full(descriptor: int, data: Any) -> int:
        if os.readlink("/proc/self/fd/%d" % descriptor).startswith(folders[0]):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)
    monkeypatch.setattr(os, "write", full)
    assert _unpack.load(DATA, "lib.so", lambda path: path).startswith(folders[1])
    assert [os.listdir(folder) for folder in folders] == [[], []]


def others_may_rename(folder: str) -> None:
    os.chmod(folder, 0o777)


def another_owner(folder: str) -> None:
    os.chown(folder, NOBODY, NOBODY)


def link_of_another(folder: str) -> None:
    """A link where /tmp should be, to a folder of somebody who waits."""
    os.rmdir(folder)
    os.mkdir(folder + "-waiting")
    os.chown(folder + "-waiting", NOBODY, NOBODY)
    os.symlink(folder + "-waiting", folder)


def no_folder(folder: str) -> None:
    os.rmdir(folder)
    open(folder, "w").close()


def gone(folder: str) -> None:
    os.rmdir(folder)


def parent_of_another(folder: str) -> None:
    os.chown(os.path.dirname(folder), NOBODY, NOBODY)


@pytest.fixture
def mended(tmp_path: Any) -> Iterator[None]:
    yield
    os.chown(str(tmp_path), os.geteuid(), os.getegid())


@pytest.mark.reliability
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to another user takes root")
@pytest.mark.parametrize("spoil, words", [
    (others_may_rename, "others may rename"), (another_owner, "belongs to another user"),
    (link_of_another, "belongs to another user"), (no_folder, "no folder"), (gone, "No such file"),
    (parent_of_another, "belongs to another user"),
], ids=lambda value: getattr(value, "__name__", "-"))
def test_hostile_places_are_refused(no_memory: None, mended: None, shared: str, spoil: Any, words: str) -> None:
    spoil(shared)
    said = refused()
    assert words in said and shared in said
    tried.count("security", "place for the .pyz that another user could exchange", "refused")


def test_relative_and_named_twice(no_memory: None, monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("TMPDIR", "somewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    folders = _unpack._folders()
    assert folders[0] == "somewhere" and folders.count("/tmp") == 1
    assert _unpack.problem("somewhere") == "not an absolute path"


def test_a_link_on_the_way_is_refused(shared: str) -> None:
    """load() asks about the folder that links lead to; one that is there all the same came in between."""
    os.mkdir(os.path.join(shared, "real"))
    os.symlink(shared, shared + "-link")
    assert _unpack.problem(os.path.join(shared, "real")) is None
    assert _unpack.problem(os.path.join(shared + "-link", "real")) == "no folder"


def test_only_a_zip_file_has_content() -> None:
    assert _unpack.content("nowhere", getattr(_unpack.__spec__, "loader", None)) is None
