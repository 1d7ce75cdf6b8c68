"""The report as Markdown, for a ticket or a chat: the same content without the figures."""

from typing import Any, Dict, List

from .facts import Facts
from .figures import ORDER, step_text
from .story import Story
from .tables import Table, counted_title, ledger_table, reasons_table, tiles, worst_tables
from .words import amount, number, shown, span

_STEPS = 24  # lines of the time line, at most
_BAR = 24  # characters of the longest bar


def markdown(facts: Facts, story: Story) -> str:
    """All of it. Text of a host is in code spans, where nothing in it means anything."""
    parts = ["# " + plain(story.title), plain(story.headline)]
    parts.append("\n".join("- %s: %s" % (plain(name), plain(value)) for name, value in tiles(facts)))
    parts += _advice(story) + _when(facts, story)
    for table in worst_tables(facts):
        parts += ["## " + table.title, _table(table) if table.rows else table.note]
    parts += _stalls(facts)
    parts += ["## The ledger", _list(story.ledger)]
    table = ledger_table(facts)
    if table.rows:
        parts.append(_table(table))
    parts += ["## What is unknown", _list(story.unknown) or "Nothing that this report knows of."]
    parts.append("## How it was recorded")
    for session in story.sessions:
        parts.append("\n".join("- %s: %s" % (plain(name), plain(value)) for name, value in session))
    parts.append("Times are %s." % plain(story.zone.name))
    return "\n\n".join(parts) + "\n"


_SPECIAL = "\\`*_[]<>|~&#!$"


def plain(value: Any) -> str:
    """Text in which no letter means anything to Markdown. Addresses on the web are no links then."""
    escaped = "".join("\\" + letter if letter in _SPECIAL else letter for letter in shown(value))
    return escaped.replace("://", ":\\//").replace("www.", "www\\.").replace("@", "\\@")


def code(value: Any) -> str:
    """Text of a host as a code span; a vertical bar, which would end a table's cell, as its code."""
    text = shown(value).replace("|", "\\x7c")
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return fence + space + (text or " ") + space + fence


def _longest_run(text: str) -> int:
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


def _list(lines: List[str]) -> str:
    return "\n".join("- %s." % plain(line) for line in lines)


def _advice(story: Story) -> List[str]:
    found = ["- **%s.** %s" % (plain(found["title"]), plain(found["text"])) for found in story.advice]
    return ["## What to look at", "\n".join(found) or "Nothing stands out by the rules that this report goes by."]


def _when(facts: Facts, story: Story) -> List[str]:
    steps, width = facts["timeline"]["steps"], facts["timeline"]["step_ns"]
    if not steps:
        return []
    first = steps[0]["start_ns"]
    joined = -(-(steps[-1]["start_ns"] + width - first) // (width * _STEPS)) * width
    lines: Dict[int, Dict[str, int]] = {}
    for step in steps:
        line = lines.setdefault((step["start_ns"] - first) // joined, {})
        for reason, segments in step["reasons"].items():
            line[reason] = line.get(reason, 0) + segments
    most = max(sum(line.values()) for line in lines.values())
    rows = ["| From | %s in %s | | Reasons |" % (counted_title(facts), step_text(joined)), "| --- | ---: | --- | --- |"]
    for place in range(max(lines) + 1):
        line = lines.get(place, {})
        total = sum(line.values())
        bar = "█" * max(1, round(_BAR * total / most)) if total else ""
        rows.append("| %s | %s | %s | %s |" % (
            story.zone.moment(first + place * joined, joined < 10**9), number(total), bar,
            ", ".join("%s %s" % (plain(reason), number(line[reason])) for reason in ORDER if line.get(reason))))
    return ["## When, and why", "\n".join(rows), _table(reasons_table(facts))]


def _stalls(facts: Facts) -> List[str]:
    below, reasons = facts["stalls"]["below_us"], facts["stalls"]["reasons"]
    if not below:
        return []
    counts = [sum(counts[place] for counts in reasons.values()) for place in range(len(below))]
    most = max(counts)
    rows = ["| Waited less than | Events | |", "| ---: | ---: | --- |"]
    for limit, count in zip(below, counts):
        rows.append("| %s | %s | %s |" % (
            span(limit), number(count), "█" * max(1, round(_BAR * count / most)) if count else ""))
    return ["## What it cost", "%s in which it is known how long data had waited." % amount(sum(counts), "event"),
            "\n".join(rows)]


def _table(table: Table) -> str:
    rows = ["| %s |" % " | ".join(plain(column.title) for column in table.columns),
            "| %s |" % " | ".join("---:" if column.numeric else "---" for column in table.columns)]
    for row in table.rows:
        name = plain(row.cells[0]) if row.rest else code(row.cells[0])
        rows.append("| %s |" % " | ".join([name] + [plain(cell) for cell in row.cells[1:]]))
    return "\n".join(rows)
