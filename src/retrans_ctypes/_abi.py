"""The ctypes mirror of libtcpretrans.h: structs, and one row for each function.

Nothing here has a default: every function has its result and argument types, and none is optional.
"""

import errno
from ctypes import (
    CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_uint8, c_uint16, c_uint32,
    c_uint64, c_void_p,
)
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from .errors import LibraryError, from_errno
from .stats import Stats

ABI_VERSION = 2
NO_RATE = (1 << 32) - 1


class Handle(c_void_p):
    """struct tcpretrans *"""


class NativeRange(Structure):
    """struct tcpretrans_range"""

    _fields_ = [("first", c_uint16), ("last", c_uint16)]


class NativePrefix(Structure):
    """struct tcpretrans_prefix"""

    _fields_ = [
        ("address", c_uint8 * 16), ("family", c_uint8), ("bits", c_uint8), ("reserved", c_uint8 * 2),
    ]


# What conditions are made of: numbers, and lists of such.
_LISTS: List[Tuple[str, Any]] = [
    ("local_ports", NativeRange), ("remote_ports", NativeRange), ("ports", NativeRange),
    ("local", NativePrefix), ("remote", NativePrefix), ("address", NativePrefix),
    ("netns", c_uint32), ("uids", c_uint32), ("cgroups", c_uint64), ("pids", c_uint32),
]


_NUMBERS: List[Tuple[str, Any]] = [
    ("size", c_size_t), ("family", c_uint32), ("states", c_uint32), ("reasons", c_uint32),
    ("reserved", c_uint32), ("min_stall_us", c_uint64),
]


class NativeConditions(Structure):
    """struct tcpretrans_conditions"""

    _fields_ = (_NUMBERS + [(name, POINTER(kind)) for name, kind in _LISTS]
                + [("n_" + name, c_size_t) for name, _ in _LISTS])

    def set_list(self, name: str, members: List[Any]) -> None:
        """``members``: what one of the list's type is made of, each as a tuple or a number."""
        kind: Any = dict(_LISTS)[name]
        setattr(self, name, (kind * len(members))(*members))
        setattr(self, "n_" + name, len(members))


class NativeFilter(Structure):
    """struct tcpretrans_filter"""

    _fields_ = [("only", POINTER(NativeConditions)), ("never", POINTER(NativeConditions))]


class NdjsonHandle(c_void_p):
    """struct tcpretrans_ndjson *"""


class Options(Structure):
    """struct tcpretrans_opts"""

    _fields_ = [
        ("size", c_size_t),
        ("error", c_void_p),
        ("error_size", c_size_t),
        ("ring_bytes", c_uint32),
        ("no_owners", c_uint32),
        ("attach", c_uint32),
        ("buffer", c_uint32),
        ("btf", c_char_p),
        ("filter", POINTER(NativeFilter)),
        ("rate", c_uint32),
        ("burst", c_uint32),
        ("count_by", c_uint32),
        ("count_rows", c_uint32),
        ("prefix4", c_uint32),
        ("prefix6", c_uint32),
    ]


class NativeCapabilities(Structure):
    """struct tcpretrans_capabilities"""

    _fields_ = [
        ("attach", c_uint32),
        ("buffer", c_uint32),
        ("can", c_uint64),
        ("known", c_uint64),
        ("buffer_bytes", c_uint64),
    ]


class NativeStats(Structure):
    """struct tcpretrans_stats"""

    _fields_ = [(name, c_uint64) for name in Stats._fields]


class NativeNetns(Structure):
    """struct tcpretrans_netns"""

    _fields_ = [
        ("cookie", c_uint64),
        ("netns", c_uint32),
        ("reserved", c_uint32),
        ("events", c_uint64),
        ("segs", c_uint64),
        ("failed_segs", c_uint64),
        ("lost_segs", c_uint64),
        ("filtered_segs", c_uint64),
        ("skipped_segs", c_uint64),
        ("limited_segs", c_uint64),
    ]


class NativeCount(Structure):
    """struct tcpretrans_count"""

    _fields_ = [
        ("events", c_uint64),
        ("segs", c_uint64),
        ("bytes", c_uint64),
        ("number", c_uint64),
        ("saddr", c_uint8 * 16),
        ("daddr", c_uint8 * 16),
        ("sport", c_uint16),
        ("dport", c_uint16),
        ("family", c_uint8),
        ("reserved", c_uint8 * 3),
    ]


class NativeField(Structure):
    """struct tcpretrans_field"""

    _fields_ = [("name", c_char_p), ("offset", c_uint32), ("size", c_uint32)]


class Text(Structure):
    """struct tcpretrans_text"""

    _fields_ = [
        ("size", c_size_t),
        ("bytes", c_void_p),
        ("room", c_size_t),
        ("used", c_size_t),
        ("wall_offset_ns", c_int64),
        ("without", c_uint32),
        ("wants_label", c_uint32),
    ]


WITHOUT_FAILED = 1 << 0
WITHOUT_LABELS = 1 << 1


# int (*)(const struct tcpretrans_event *event, void *ctx). The context stays undeclared: Python
# needs none, and with one argument a generator's send() can be the callback (see _library.py).
# In the calling conventions of Linux a callee may leave trailing arguments unread.
EventCallback = CFUNCTYPE(c_int, c_void_p)


class Function(NamedTuple):
    """One native function. ``answers`` are the negative results that are not failures."""

    prototype: str
    result: Any
    arguments: List[Any]
    check: Callable[[str, Tuple[int, ...]], Any]
    answers: Tuple[int, ...] = ()


def _negative_fails(name: str, answers: Tuple[int, ...]) -> Any:
    def check(result: int, function: Any, arguments: Any) -> int:
        if result < 0 and result not in answers:
            raise from_errno(-result, "")
        return result
    return check


def _null_fails(name: str, answers: Tuple[int, ...]) -> Any:
    def check(result: Any, function: Any, arguments: Any) -> Any:
        if not result:
            raise LibraryError("libtcpretrans.so is damaged: %s() gives nothing back" % name)
        return result
    return check


def _anything_goes(name: str, answers: Tuple[int, ...]) -> Any:
    return lambda result, function, arguments: result


FUNCTIONS: Dict[str, Function] = {
    # Its sentence is in the caller's buffer, so the caller raises.
    "tcpretrans_open": Function(
        "int tcpretrans_open(const struct tcpretrans_opts *opts, struct tcpretrans **out)",
        c_int, [POINTER(Options), POINTER(Handle)], _anything_goes),
    "tcpretrans_capabilities": Function(
        "int tcpretrans_capabilities(const struct tcpretrans *tracer,"
        " struct tcpretrans_capabilities *capabilities, size_t size)",
        c_int, [Handle, POINTER(NativeCapabilities), c_size_t], _negative_fails),
    # As for open.
    "tcpretrans_set_filter": Function(
        "int tcpretrans_set_filter(struct tcpretrans *tracer, const struct tcpretrans_filter *filter,"
        " char *error, size_t error_size)",
        c_int, [Handle, POINTER(NativeFilter), c_char_p, c_size_t], _anything_goes),
    "tcpretrans_notes": Function(
        "const char *tcpretrans_notes(const struct tcpretrans *tracer)",
        c_char_p, [Handle], _anything_goes),
    "tcpretrans_poll": Function(
        "int tcpretrans_poll(struct tcpretrans *tracer, int timeout_ms)",
        c_int, [Handle, c_int], _negative_fails, (-errno.EINTR, -errno.ECANCELED)),
    "tcpretrans_drain": Function(
        "int tcpretrans_drain(struct tcpretrans *tracer, struct tcpretrans_event *events, int n)",
        c_int, [Handle, c_void_p, c_int], _negative_fails),
    "tcpretrans_run": Function(
        "int tcpretrans_run(struct tcpretrans *tracer, tcpretrans_callback callback, void *ctx)",
        c_int, [Handle, EventCallback, c_void_p], _negative_fails, (-errno.EINTR,)),
    "tcpretrans_stop": Function(
        "int tcpretrans_stop(struct tcpretrans *tracer)",
        c_int, [Handle], _negative_fails),
    "tcpretrans_stats": Function(
        "int tcpretrans_stats(struct tcpretrans *tracer, struct tcpretrans_stats *stats,"
        " size_t size)",
        c_int, [Handle, POINTER(NativeStats), c_size_t], _negative_fails),
    "tcpretrans_netns": Function(
        "int tcpretrans_netns(struct tcpretrans *tracer, struct tcpretrans_netns *rows, int n)",
        c_int, [Handle, POINTER(NativeNetns), c_int], _negative_fails),
    "tcpretrans_counts": Function(
        "int tcpretrans_counts(struct tcpretrans *tracer, struct tcpretrans_count *rows, int n,"
        " struct tcpretrans_count *beyond)",
        c_int, [Handle, POINTER(NativeCount), c_int, POINTER(NativeCount)], _negative_fails),
    # Many namespaces cannot be visited; its caller tells which and why.
    "tcpretrans_kernel_segs": Function(
        "int tcpretrans_kernel_segs(struct tcpretrans *tracer, int netns_fd, uint64_t *segs,"
        " uint64_t *cookie)",
        c_int, [Handle, c_int, POINTER(c_uint64), POINTER(c_uint64)], _anything_goes),
    # Its caller says what the number means.
    "tcpretrans_drop_rights": Function(
        "int tcpretrans_drop_rights(uint32_t uid, uint32_t gid)",
        c_int, [c_uint32, c_uint32], _anything_goes),
    "tcpretrans_lasting_rights": Function(
        "uint64_t tcpretrans_lasting_rights(void)",
        c_uint64, [], _anything_goes),
    "tcpretrans_fd": Function(
        "int tcpretrans_fd(const struct tcpretrans *tracer)",
        c_int, [Handle], _negative_fails),
    "tcpretrans_ndjson_open": Function(
        "int tcpretrans_ndjson_open(struct tcpretrans_ndjson **out)",
        c_int, [POINTER(NdjsonHandle)], _negative_fails),
    "tcpretrans_ndjson_write": Function(
        "int tcpretrans_ndjson_write(struct tcpretrans_ndjson *writer,"
        " const struct tcpretrans_event *events, int n, struct tcpretrans_text *text)",
        c_int, [NdjsonHandle, c_void_p, c_int, POINTER(Text)], _negative_fails),
    "tcpretrans_ndjson_label": Function(
        "int tcpretrans_ndjson_label(struct tcpretrans_ndjson *writer,"
        " const struct tcpretrans_event *event, const char *members, uint64_t until_ns)",
        c_int, [NdjsonHandle, c_void_p, c_char_p, c_uint64], _negative_fails),
    "tcpretrans_ndjson_close": Function(
        "void tcpretrans_ndjson_close(struct tcpretrans_ndjson *writer)",
        None, [NdjsonHandle], _anything_goes),
    "tcpretrans_fields": Function(
        "const struct tcpretrans_field *tcpretrans_fields(size_t *count)",
        POINTER(NativeField), [POINTER(c_size_t)], _null_fails),
    "tcpretrans_version": Function(
        "const char *tcpretrans_version(void)",
        c_char_p, [], _null_fails),
    "tcpretrans_close": Function(
        "void tcpretrans_close(struct tcpretrans *tracer)",
        None, [Handle], _anything_goes),
}


def bind(library: CDLL) -> None:
    """Give each function of ``library`` its row's types and check; all of them must be there."""
    for name, row in FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise LibraryError(
                "%s has no function %s: it is not libtcpretrans, or one of another release; take"
                " the package and the library from the same release" % (library._name, name))
        function.restype = row.result
        function.argtypes = row.arguments
        function.errcheck = row.check(name, row.answers)
