"""The commands, each with what --help says of it in half a line."""

COMMANDS = {
    "trace": "each as it happens (default)",
    "count": "sums, made in the kernel",
    "top": "live screen, the worst first",
    "record": "keep events in a file",
    "replay": "show what a file keeps",
    "report": "a web page of a file",
    "metrics": "serve them to Prometheus",
    "demo": "make some to look at",
    "doctor": "can one trace here, how well",
}
DEFAULT = "trace"
