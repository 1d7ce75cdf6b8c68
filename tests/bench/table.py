"""The figures as a table, and as JSON."""
import json
from typing import Any, Dict, List, Optional, Sequence

from lab.tables import table

from .row import Result, Target

NOTHING = "-"
SIGNS = {"<=": "≤", ">=": "≥", "<": "<"}


def figure(value: Optional[float], unit: str = "") -> str:
    """Three digits are more than any two runs have in common."""
    if value is None:
        return NOTHING
    if value and abs(value) < 100:
        digits = "{:.3g}".format(value) if abs(value) >= 0.001 else "{:.1g}".format(value)
    else:
        digits = "{:,.0f}".format(value)
    return "{} {}".format(digits, unit).rstrip()


def target(wanted: Target, unit: str) -> str:
    return "{} {:g}{}".format(SIGNS[wanted.sign], wanted.value, " " + unit if wanted.absolute else "×").rstrip()


def line(result: Result) -> List[str]:
    ratio = result.ratio
    rival = NOTHING
    if result.rival_name:
        rival = "{} ({})".format(figure(result.rival_median, result.row.unit), result.rival_name)
    return [result.row.what, figure(result.our_median, result.row.unit), rival,
            NOTHING if ratio is None else figure(ratio) + "×", target(result.row.target, result.row.unit),
            "yes" if result.met else "NO"]


def lines(results: Sequence[Result], machine: Dict[str, str], runs: int) -> List[str]:
    head = ["what", "ours", "rival", "ratio", "target", "met"]
    notes = ["- {}: {}".format(result.row.key, result.note) for result in results if result.row.note]
    return (["Medians of {} runs of each side, in turns. {}".format(
        runs, "; ".join("{} {}".format(*item) for item in machine.items())), ""]
        + table(head, map(line, results)) + ([""] + notes if notes else []))


def document(results: Sequence[Result], machine: Dict[str, str], runs: int) -> Dict[str, Any]:
    return {"machine": machine, "runs": runs, "rows": [{
        "key": result.row.key, "what": result.row.what, "unit": result.row.unit,
        "ours": result.our_median, "rival": result.rival_median, "rival_name": result.rival_name or None,
        "ratio": result.ratio, "target": target(result.row.target, result.row.unit), "met": result.met,
        "note": result.note, "our_runs": result.ours, "rival_runs": result.rival,
    } for result in results]}


def as_json(results: Sequence[Result], machine: Dict[str, str], runs: int) -> str:
    return json.dumps(document(results, machine, runs), indent=1)
