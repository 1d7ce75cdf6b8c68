"""Tables for the end of a test run and for docs/accuracy.md."""
from typing import Dict, Iterable, List, Sequence, Tuple


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> List[str]:
    """Lines of a Markdown table, aligned."""
    cells = [list(head)] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in cells]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |"] + lines[1:]


def matrix(counts: Dict[Tuple[str, str], int]) -> List[str]:
    """True reasons downwards, traced ones across."""
    across = sorted({traced for _, traced in counts})
    down = sorted({true for true, _ in counts})
    return table(["true \\ traced"] + across,
                 [[true] + [counts.get((true, traced), 0) for traced in across] for true in down])
