"""The page: one file that loads nothing, with scripts that its own policy names by their hashes."""

import base64
import hashlib
import html
import json
import pkgutil
from typing import Any, Dict, Iterable, List

from .facts import Facts
from .figures import COLOURS, ORDER, figures, plotly_script, step_text
from .story import REASON_WORDS, Story
from .tables import Table, counted_title, ledger_table, reasons_table, tiles, worst_tables
from .words import amount, shown


def page(facts: Facts, story: Story) -> str:
    """All of it. Raises ExtraMissing."""
    drawn = figures(facts, story.zone)
    scripts = [plotly_script(), _file("page.js")] if drawn else []
    parts = [_head(facts, story), _advice(story)]
    if drawn:
        parts += [_when(facts, drawn), _reasons(facts), _where(facts, drawn)]
    parts += [_worst(facts), _stalls(drawn), _ledger(facts, story), _unknown(story), _sessions(story)]
    return _DOCUMENT % {
        "policy": _policy(scripts), "title": text(story.title), "style": _file("page.css"),
        "body": "\n".join(filter(None, parts)),
        "figures": json.dumps(drawn, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "scripts": "\n".join("<script>%s</script>" % script for script in scripts),
    }


_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%(policy)s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>%(title)s</title>
<style>%(style)s</style>
</head>
<body>
%(body)s
<script type="application/json" id="figures">%(figures)s</script>
%(scripts)s
</body>
</html>
"""


def text(value: Any) -> str:
    """Text of a host as HTML."""
    return html.escape(shown(value))


def _file(name: str) -> str:
    data = pkgutil.get_data(__package__, name)
    assert data is not None
    return data.decode("utf-8")


def _policy(scripts: Iterable[str]) -> str:
    """Nothing may be loaded, and no script runs but ours. plotly sets styles, and draws with data: images."""
    hashes = ["'sha256-%s'" % base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
              for script in scripts]
    return "default-src 'none'; script-src %s; style-src 'unsafe-inline'; img-src data:; base-uri 'none';" \
        " form-action 'none'" % (" ".join(hashes) or "'none'")


def _head(facts: Facts, story: Story) -> str:
    shown_tiles = "".join("<div><dt>%s</dt><dd>%s</dd></div>" % (text(name), text(value))
                          for name, value in tiles(facts))
    return "<header>\n<h1>%s</h1>\n<p class=\"headline\">%s</p>\n<dl class=\"tiles\">%s</dl>\n</header>" % (
        text(story.title), text(story.headline), shown_tiles)


def _section(title: str, body: str, keep: bool = False) -> str:
    return "<section%s>\n<h2>%s</h2>\n%s\n</section>" % (' class="keep"' if keep else "", text(title), body)


def _paragraph(words: str, kind: str = "soft") -> str:
    return '<p class="%s">%s</p>' % (kind, text(words))


def _figure(name: str, title: str) -> str:
    return '<div class="figure" id="figure-%s" role="img" aria-label="%s"></div>' % (name, text(title))


def _advice(story: Story) -> str:
    if not story.advice:
        return _section("What to look at", _paragraph("Nothing stands out by the rules that this report goes by."))
    return _section("What to look at", '<ul class="advice">\n%s\n</ul>' % "\n".join(
        "<li><b>%s</b>%s</li>" % (text(found["title"]), text(found["text"])) for found in story.advice))


def _when(facts: Facts, drawn: Dict[str, Any]) -> str:
    return _section("When, and why", _figure("timeline", "Time line by reason") + _paragraph(
        "One bar is %s." % step_text(facts["timeline"]["step_ns"])) + _paragraph(
            "Click a reason to hide it, drag to zoom, double-click to go back.", "soft screen"), keep=True)


def _reasons(facts: Facts) -> str:
    return _table(reasons_table(facts), keys=True)


def _where(facts: Facts, drawn: Dict[str, Any]) -> str:
    heat = facts["heat"]
    more = heat["prefixes"] - sum(1 for row in heat["rows"] if row["prefix"])
    note = "Colour: %s in %s to a remote prefix of 24 bits (IPv6: 64), on a logarithmic scale." % (
        counted_title(facts).lower(), step_text(heat["step_ns"]))
    if more > 0:
        note += " %s less are together in 'all others'." % amount(more, "prefix that has", "prefixes that have")
    return _section("To whom, and when", _figure("heat", "Heat map of remote prefixes and time") + _paragraph(note),
                    keep=True)


def _worst(facts: Facts) -> str:
    tables = ["<h3>%s</h3>\n%s%s" % (
        text(table.title), _table(table) if table.rows else "", _paragraph(table.note) if table.note else "")
        for table in worst_tables(facts)]
    return _section("Where it hurts most", "\n".join(tables)) if tables else ""


def _stalls(drawn: Dict[str, Any]) -> str:
    if "stalls" not in drawn:
        return ""
    return _section("What it cost", _figure("stalls", "Distribution of waiting times by reason") + _paragraph(
        "Each event in which it is known how long the data had waited since it was sent before."), keep=True)


def _ledger(facts: Facts, story: Story) -> str:
    words = "".join("<p>%s.</p>" % text(line) for line in story.ledger)
    table = ledger_table(facts)
    return _section("The ledger", words + (_table(table) if table.rows else "") + _paragraph(
        "In segments: what the kernel's own counter (RetransSegs) grew by, and what became of it."))


def _unknown(story: Story) -> str:
    if not story.unknown:
        return _section("What is unknown", _paragraph("Nothing that this report knows of."))
    return _section("What is unknown", '<ul class="plain">%s</ul>' % "".join(
        "<li>%s.</li>" % text(line) for line in story.unknown))


def _sessions(story: Story) -> str:
    parts = []
    for place, session in enumerate(story.sessions, 1):
        title = "<h3>Session %d</h3>" % place if len(story.sessions) > 1 else ""
        parts.append('%s<dl class="facts">%s</dl>' % (title, "".join(
            "<dt>%s</dt><dd>%s</dd>" % (text(name), text(value)) for name, value in session)))
    return _section("How it was recorded", "".join(parts) + _paragraph(
        "Times are %s, as of the first event where this report was made." % story.zone.name))


def _table(table: Table, keys: bool = False) -> str:
    head = "".join('<th%s scope="col">%s</th>' % (' class="n"' if column.numeric else "", text(column.title))
                   for column in table.columns)
    if table.bars:
        head += '<th scope="col">Reasons</th>'
    return '<div class="scroll"><table%s>\n<thead><tr>%s</tr></thead>\n<tbody>\n%s\n</tbody>\n</table></div>' % (
        ' class="worst"' if table.bars else "", head, "\n".join(_row(table, place, keys) for place in range(len(table.rows))))


def _row(table: Table, place: int, keys: bool) -> str:
    row = table.rows[place]
    cells: List[str] = []
    for column, value in zip(table.columns, row.cells):
        key = ""
        if keys and not cells:
            key = '<span class="key" style="background:%s"></span>' % COLOURS.get(value, COLOURS["unknown"])
        kind = "n" if column.numeric else "" if cells else "name"
        cells.append("<td%s>%s%s</td>" % (' class="%s"' % kind if kind else "", key, text(value)))
    if table.bars:
        cells.append('<td class="bar">%s</td>' % _bar(row.reasons))
    return "<tr%s>%s</tr>" % (' class="rest"' if row.rest else "", "".join(cells))


def _bar(reasons: Dict[str, int]) -> str:
    """Reasons and their shares, as a bar with words for those who cannot see it."""
    total = sum(reasons.values())
    if not total:
        return ""
    place = 0.0
    parts = []
    for reason in ORDER:
        width = 100 * reasons.get(reason, 0) / total
        if width:
            parts.append('<rect x="%.2f" y="0" width="%.2f" height="12" fill="%s"/>' % (place, width, COLOURS[reason]))
            place += width
    words = ", ".join("%s %.0f %%" % (reason, 100 * reasons[reason] / total) for reason in ORDER if reasons.get(reason))
    return ('<svg class="reasons" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="%s">'
            "<title>%s</title>%s</svg>" % (text(words), text(words), "".join(parts)))


assert set(COLOURS) == set(REASON_WORDS)
