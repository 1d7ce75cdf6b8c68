"""What the running kernel's tracepoint tells, read from its BTF as another tool prints it."""
import functools

from .host import tool


@functools.lru_cache(maxsize=None)
def reports_failures() -> bool:
    """Whether tcp_retransmit_skb has the argument `err`, and so fires for failed attempts too."""
    types = tool("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c")
    prototype = next(line for line in types.splitlines() if "(*btf_trace_tcp_retransmit_skb)" in line)
    return prototype.count(",") == 3  # void *, sk, skb, err
