"""What runs for each event is not heavier than its committed limit."""
import pytest


from .guard import counts
from .guard.counts import TOLERANCE, Excess, excesses, read_limits


def test_a_heavier_path_is_found() -> None:
    limits = {"drain": 100.0}
    assert excesses({"drain": 108.0}, limits, 0.1) == []
    assert excesses({"drain": 111.0}, limits, 0.1) == [Excess("drain", 111.0, 100.0)]
    assert excesses({"new": 1.0}, limits, 0.1) == [Excess("new", 1.0, 0.0)], "no limit is no permission"


@pytest.mark.skipif(not counts.is_comparable(), reason="the limits are those of x86_64")
def test_bpf_programs(kernel_rights: None) -> None:
    found = counts.bpf_bytes()
    if counts.series() == counts.limits_series():  # others may lack a hook, and so its program
        assert set(found) == set(read_limits()["bpf"])
    assert [excess.sentence() for excess in excesses(dict(found), read_limits()["bpf"], TOLERANCE["bpf"])] == []


@pytest.mark.skipif(not counts.is_comparable(), reason="the limits are those of x86_64")
@pytest.mark.parametrize("path", ["drain", "ndjson"])
def test_paths(path: str) -> None:
    limits = read_limits()["paths"]
    found = {path: counts.per_event(path)}
    assert [excess.sentence() for excess in excesses(found, limits, TOLERANCE[path])] == []
