# SPDX-License-Identifier: BSD-2-Clause
"""Put what the tests have tried into docs/reliability.md, between its two markers.

    reliability.py PAGE.md TRIED.json...

TRIED.json is what a test run counted: a list of section, what, times, result. Runs are added up.
"""
import json
import os
import sys
from collections import Counter
from typing import List, Tuple

BEGIN, END = "<!-- tried: begin -->\n", "<!-- tried: end -->\n"
HEAD = ["fault or bad input", "times tried", "result"]


def table(rows: List[List[str]]) -> List[str]:
    widths = [max(len(row[column]) for row in [HEAD] + rows) for column in range(len(HEAD))]
    lines = ["| {:<{}} | {:>{}} | {:<{}} |".format(row[0], widths[0], row[1], widths[1], row[2], widths[2])
             for row in [HEAD] + rows]
    rule = "| {} | {}: | {} |".format("-" * widths[0], "-" * (widths[1] - 1), "-" * widths[2])
    return [lines[0], rule] + lines[1:]


def page(tried: "Counter[Tuple[str, str, str]]") -> str:
    """``tried``: how often, by section, what and result; in the order of the page."""
    release = os.uname().release.split("-")[0]
    lines = ["Linux {} {}.".format(release, os.uname().machine), ""]
    for section in dict.fromkeys(section for section, _, _ in tried):
        lines += ["### " + section[0].upper() + section[1:], ""]
        lines += table([[what, "{:,}".format(times), result]
                        for (of, what, result), times in tried.items() if of == section])
        lines += [""]
    return "\n".join(lines)


def main() -> None:
    target, *runs = sys.argv[1:]
    tried = Counter()  # type: Counter[Tuple[str, str, str]]
    for run in runs:
        with open(run) as file:
            for section, what, times, result in json.load(file):
                tried[section, what, result] += times
    told = page(tried)
    with open(target) as file:
        before, rest = file.read().split(BEGIN)
    with open(target, "w") as file:
        file.write(before + BEGIN + "\n" + told + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
