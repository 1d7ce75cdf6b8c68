"""Exit codes, for --help and the documentation."""

EXIT_CODES = {
    0: "ended as asked: Ctrl-C, SIGTERM, --duration",
    1: "something unexpected failed",
    2: "bad usage, or a filter that cannot be",
    3: "more rights are needed",
    4: "this kernel cannot do it",
    5: "libtcpretrans.so is missing, damaged, or not the one for this package or machine",
    6: "output could not be written",
    130: "a second Ctrl-C ended it before all output was written",
    141: "whoever read the output went away (| head -1)",
}


def epilog() -> str:
    """The part of --help that explains them."""
    lines = ["exit codes:"]
    lines += ["  %3d  %s" % item for item in sorted(EXIT_CODES.items())]
    return "\n".join(lines)
