"""Exit codes, for --help and the documentation."""

from typing import Dict

EXIT_CODES = {
    0: "ended as asked: Ctrl-C, SIGTERM, SIGHUP, --duration",
    1: "something unexpected failed",
    2: "bad usage, or a filter that cannot be",
    3: "more rights are needed",
    4: "this kernel cannot do it",
    5: "libtcpretrans.so is missing, damaged, or of another machine or version",
    6: "output could not be written",
    7: "a recording cannot be read or may not be written: another process writes it, or another user laid it there",
    8: "a library is missing that an extra of this package brings",
    130: "a second Ctrl-C ended it before all output was written",
    141: "whoever read the output went away (| head -1)",
}

# There 0, 1 and 2 are the verdict, so what has these codes elsewhere has others: those of sysexits.h.
DOCTOR_USAGE = 64
DOCTOR_FAILED = 70
DOCTOR_EXIT_CODES = {
    0: "full: nothing is lost; --tracepoints: listed",
    1: "degraded: it traces, but something is lost; --tracepoints: none matches",
    2: "impossible: it does not trace; --tracepoints: no tracefs can be read",
    DOCTOR_USAGE: "bad usage",
    DOCTOR_FAILED: "doctor itself failed, which tells nothing",
    6: EXIT_CODES[6],
    130: "ended by Ctrl-C",
    141: EXIT_CODES[141],
}
