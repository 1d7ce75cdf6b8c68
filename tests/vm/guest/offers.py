"""What this kernel offers to tracers, asked of the kernel itself and not of the library under test."""
import os
from typing import Dict

EVENTS = "/sys/kernel/tracing/events"

TRACEPOINTS = {"synack": "tcp/tcp_retransmit_synack", "congestion": "tcp/tcp_cong_state_set",
               "states": "sock/inet_sock_set_state"}
SYMBOLS = {"ring": "ringbuf_map_alloc", "storage": "bpf_sk_storage_get_tracing",
           "file_socket": "bpf_sock_from_file", "file_iterator": "task_file_seq_ops"}


def has_error_argument() -> bool:
    """Whether the main tracepoint says with which error a transmission ended."""
    with open(EVENTS + "/tcp/tcp_retransmit_skb/format") as text:
        return " err;" in text.read()


def offers() -> Dict[str, bool]:
    found = {name: os.path.isdir(os.path.join(EVENTS, path)) for name, path in TRACEPOINTS.items()}
    with open("/proc/kallsyms") as table:
        names = {line.split()[2] for line in table}
    found.update((name, symbol in names) for name, symbol in SYMBOLS.items())
    found["error"] = has_error_argument()
    return found
