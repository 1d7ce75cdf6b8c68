"""Shared plumbing of the tests that meet a real kernel.

Lab         two private network namespaces joined by a veth pair, with loss on demand
counters    what the kernel itself says about retransmits in a namespace
traffic     sockets and traffic inside those namespaces
commands    `python -m retrans_ctypes` as a child process
host        what must be the same before and after: BPF programs, links, namespaces
rights      one sentence about what this machine lacks
"""
