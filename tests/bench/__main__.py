"""Measure what tracing costs, beside what others cost, and print a table.

    make -C native bench [ROWS='KEY ...'] [RUNS=N] [ARGS='--json --markdown FILE']

Needs root. Traffic stays in network namespaces of its own; tracefs, which bpftrace needs, is mounted
where only this command sees it. Exit status: 0 = every target was met, 1 = some were not, 2 = usage,
3 = something could not be measured.
"""
import argparse
import os
import signal
import subprocess
import sys
from typing import Dict, List

from . import machine, places, rows, table
from .children import NotStarted
from .private import own_mounts
from .row import Measurement, Result, measure

MARKDOWN_BEGIN, MARKDOWN_END = "<!-- the output of `make -C native bench` -->", "<!-- end of it -->"


def parse(argv: List[str]) -> argparse.Namespace:
    keys = [row.key for measurement in rows.ALL for row in measurement.rows]
    parser = argparse.ArgumentParser(
        prog="python3 -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", choices=keys, metavar="KEY", dest="rows",
                        help="only this one; may be given again: " + ", ".join(keys))
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each side (5)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--markdown", metavar="FILE", help="also put the table between the two marks in FILE")
    options = parser.parse_args(argv)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def chosen(keys: List[str]) -> List[Measurement]:
    return [measurement for measurement in rows.ALL
            if not keys or any(row.key in keys for row in measurement.rows)]


def tell(text: str) -> None:
    print("bench: " + text, file=sys.stderr, flush=True)


def put_into(path: str, lines: List[str]) -> None:
    """Replace what is between the two marks."""
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(MARKDOWN_BEGIN)
    _, end, after = rest.partition(MARKDOWN_END)
    if not end:
        raise ValueError("{} has not both {} and {}".format(path, MARKDOWN_BEGIN, MARKDOWN_END))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([before + MARKDOWN_BEGIN] + lines + [end + after]))


def run(measurements: List[Measurement], runs: int) -> Dict[str, List[Result]]:
    """Results, and what could not be measured, each under its first row's key."""
    results: Dict[str, List[Result]] = {}
    for measurement in measurements:
        try:
            results[measurement.rows[0].key] = measure(measurement, runs, tell)
        except (NotStarted, AssertionError, OSError, subprocess.TimeoutExpired) as error:
            tell("{} was not measured: {}".format(measurement.rows[0].key, error))
            results[measurement.rows[0].key] = []
    return results


def main(argv: List[str]) -> int:
    options = parse(argv)
    if os.geteuid() != 0:
        tell("BPF and network namespaces need root; run it with sudo")
        return 3
    own_mounts()
    os.makedirs(places.WORK, exist_ok=True)
    measured = run(chosen(options.rows), options.runs)
    results = [result for found in measured.values() for result in found
               if not options.rows or result.row.key in options.rows]
    about = machine.describe()
    lines = table.lines(results, about, options.runs)
    print(table.as_json(results, about, options.runs) if options.json else "\n".join(lines))
    if options.markdown:
        put_into(options.markdown, lines)
    if not all(measured.values()):
        return 3
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    # As in `make bench &`, which children would inherit: tracers are ended by Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
