"""Which kernel function an address lies in."""
import bisect
import functools
from typing import List, Tuple


@functools.lru_cache(maxsize=None)
def functions() -> Tuple[List[int], List[str]]:
    """Start and name of each function of the kernel, by address."""
    rows = []
    with open("/proc/kallsyms") as symbols:
        for line in symbols:
            address, kind, name = line.split()[:3]
            if kind in "tT":
                rows.append((int(address, 16), name))
    rows.sort()
    if not rows or not rows[0][0]:
        raise OSError("/proc/kallsyms hides its addresses; run as root with kernel.kptr_restrict=0 or 1")
    return [row[0] for row in rows], [row[1] for row in rows]


@functools.lru_cache(maxsize=None)
def function_at(address: int) -> str:
    """Its name, without what the compiler appended to it (.part.0, .isra.0)."""
    starts, names = functions()
    at = bisect.bisect_right(starts, address) - 1
    return names[at].split(".")[0] if at >= 0 else ""
