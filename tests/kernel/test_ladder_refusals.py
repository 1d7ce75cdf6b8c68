"""Kernels that refuse a rung, a hook or a buffer: what is left works, and what is missing is said."""
import errno
from typing import Any, List, Tuple

import pytest
from lab import commands
from lab.link import V4, Lab
from lab.refusing import ARRAY, RAW_TRACEPOINT, RINGBUF, SK_STORAGE, TRACEPOINT, TRACING, compiled, refusing
from lab.traffic import connecting
from lab.ways import copy_of_btf, shell

RIGHTS, KERNEL = 3, 4
TRACEFS = "mount -t tracefs tracefs /sys/kernel/tracing"
HOOKS = {"on_set_state": "owner: ", "on_cong_state_set": "stall_us: ", "look_at_open_socket": "seed: ",
         "settle_open_socket": "settle: ", "find_holders": "holders: "}
QUIET_HOOKS = ("on_skipped_retransmit_skb", "on_destroy_sock")


@pytest.fixture(scope="module")
def library(tmp_path_factory: Any) -> str:
    return compiled(str(tmp_path_factory.mktemp("refusing")))


def named(program: str) -> str:
    """As the kernel has it."""
    return program[:15]


def traces(lab: Lab, library: str, *words: str, options: Tuple[str, ...] = (), before: List[str] = []) -> List[str]:
    """A tracer under these refusals still tells of a retransmit. Returns what it says about itself."""
    command = before + commands.module("-v", *options)
    with commands.Child(command, env=refusing(library, *words)) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4381):
            child.wait_line("{}:4381".format(V4.dead), "syn")
        child.interrupt()
        code, _, err = child.end()
    assert code == 0, err
    return err


def opens(library: str, *words: str, options: Tuple[str, ...] = (), before: List[str] = []) -> List[str]:
    """The same without waiting for one."""
    code, _, err = commands.run(before + commands.module("-v", "--duration", "0.1", *options),
                                env=refusing(library, *words))
    assert code == 0, err
    return err


def refused(library: str, *words: str, options: Tuple[str, ...] = (), before: List[str] = []) -> Tuple[int, str]:
    code, _, err = commands.run(before + commands.module(*options), env=refusing(library, *words))
    return code, commands.one_sentence(err)


@pytest.mark.parametrize("how, number", [
    ("silent", errno.EPERM)] + [pytest.param(how, number, marks=pytest.mark.full) for how, number in (
        ("load", errno.EINVAL), ("silent", errno.EINVAL), ("attach", errno.EBUSY))])
@pytest.mark.parametrize("hook", list(HOOKS) + list(QUIET_HOOKS))
def test_one_hook_less(library: str, nothing_left_behind: None, hook: str, how: str, number: int) -> None:
    said = opens(library, "{}:{}={}".format(how, named(hook), number))
    assert "attached by tp_btf, ring buffer" in said[0]
    notes = [line for line in said if "the kernel refuses the program" in line]
    if hook in HOOKS:
        (note,) = notes
        assert note.startswith(HOOKS[hook]) and "program {}: ".format(hook) in note
    else:
        assert notes == []


def test_all_hooks_less(lab: Lab, library: str, nothing_left_behind: None) -> None:
    words = ["silent:{}={}".format(named(hook), errno.EPERM) for hook in list(HOOKS) + list(QUIET_HOOKS)]
    said = traces(lab, library, *words)
    assert "attached by tp_btf, ring buffer; never known here: seed, settle, holders" in said[0]
    assert {topic for topic in HOOKS.values() if any(line.startswith(topic) for line in said)} == set(HOOKS.values())


either_refusal = pytest.mark.parametrize("number", [
    errno.EPERM, pytest.param(errno.EINVAL, marks=pytest.mark.full)])


@either_refusal
def test_no_typed_programs(lab: Lab, library: str, nothing_left_behind: None, number: int) -> None:
    """Iterators are of the same type, but raw tracepoints work without them."""
    said = traces(lab, library, "type:{}={}".format(TRACING, number))
    assert "attached by raw_tp" in said[0]
    assert said[1].startswith("tp_btf: ")


@either_refusal
def test_neither_typed_nor_raw_ones(lab: Lab, library: str, nothing_left_behind: None, number: int) -> None:
    said = traces(lab, library, *("type:{}={}".format(kind, number) for kind in (TRACING, RAW_TRACEPOINT)),
                  before=shell(TRACEFS))
    assert "attached by tp" in said[0]
    assert said[1].startswith("tp_btf: ") and said[2].startswith("raw_tp: ")


def test_no_raw_ones_for_a_btf_file(tmp_path: Any, library: str, nothing_left_behind: None) -> None:
    """Then the file is of no use, and no harm."""
    said = opens(library, "type:{}={}".format(RAW_TRACEPOINT, errno.EINVAL), before=shell(TRACEFS),
                 options=("--btf", copy_of_btf(str(tmp_path))))
    assert "attached by tp" in said[0] and said[1].startswith("raw_tp: ")


@pytest.mark.parametrize("number, code", [(errno.EINVAL, KERNEL), (errno.EPERM, RIGHTS)])
def test_no_rung_is_left(library: str, nothing_left_behind: None, number: int, code: int) -> None:
    words = ["type:{}={}".format(kind, number) for kind in (TRACING, RAW_TRACEPOINT, TRACEPOINT)]
    for before in ([], shell(TRACEFS)):
        got, sentence = refused(library, *words, before=before)
        assert got == code, sentence
    assert sentence.count("; and without type information: ") == 0, "the same reason twice"


@pytest.mark.parametrize("attach, kind", [("tp_btf", TRACING), ("raw_tp", RAW_TRACEPOINT), ("tp", TRACEPOINT)])
def test_a_forced_rung_is_not_replaced(library: str, nothing_left_behind: None, attach: str, kind: int) -> None:
    code, sentence = refused(library, "type:{}={}".format(kind, errno.EINVAL), options=("--attach", attach),
                             before=shell(TRACEFS))
    assert code == KERNEL and "the kernel did not load the BPF programs" in sentence


def test_attaching_is_forbidden(library: str, nothing_left_behind: None) -> None:
    """On every rung, so the way down ends in a sentence about rights."""
    word = "attach:{}={}".format(named("on_retransmit_skb"), errno.EPERM)
    code, sentence = refused(library, word)
    assert code == RIGHTS and "forbids to attach" in sentence


def test_no_ring_buffer(lab: Lab, library: str, nothing_left_behind: None) -> None:
    said = traces(lab, library, "map:{}={}".format(RINGBUF, errno.EINVAL))
    assert "attached by tp_btf, perf buffer" in said[0] and said[1].startswith("ring: ")
    code, sentence = refused(library, "map:{}={}".format(RINGBUF, errno.EINVAL), options=("--buffer", "ring"))
    assert code == KERNEL and sentence.count("no BPF ring buffer") == 1


def test_no_socket_storage(lab: Lab, library: str, nothing_left_behind: None) -> None:
    said = traces(lab, library, "map:{}={}".format(SK_STORAGE, errno.EINVAL))
    assert "attached by raw_tp, ring buffer" in said[0]


def test_bpf_is_forbidden_altogether(library: str, nothing_left_behind: None) -> None:
    words = ["map:{}={}".format(kind, errno.EPERM) for kind in (ARRAY, RINGBUF)]
    for options in ((), ("--buffer", "ring"), ("--buffer", "perf")):
        code, sentence = refused(library, *words, options=options)
        assert code == RIGHTS and "seccomp" in sentence and "tracefs" not in sentence


def test_no_memory(library: str, nothing_left_behind: None) -> None:
    code, sentence = refused(library, "map:{}={}".format(RINGBUF, errno.ENOMEM))
    assert code == 1 and "not enough memory" in sentence
