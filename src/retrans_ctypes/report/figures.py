"""The figures of the page, made with plotly (extra ``report``)."""

import math
from typing import Any, Dict, Optional

from ..errors import ExtraMissing
from ..extras import need
from .facts import Facts
from .words import Zone, number, percent, shown, span

# Okabe and Ito's colours, which people tell apart whatever they see of red and green; the page uses them
# for reasons wherever it shows them.
COLOURS = {
    "rto": "#d55e00", "fast": "#0072b2", "tlp": "#56b4e9", "syn": "#e69f00", "synack": "#cc79a7",
    "loss_recovery": "#8a6fb0", "pmtu": "#009e73", "unknown": "#999999",
}
ORDER = list(COLOURS)

_OLDEST = 5, 9  # of plotly


def label(text: Any) -> str:
    """Text for plotly, which takes some HTML: what would be a tag or an entity is escaped."""
    return shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def figures(facts: Facts, zone: Zone) -> Dict[str, Any]:
    """Those that there is something to see in, by name, ready for JSON. Raises ExtraMissing."""
    objects = need("plotly.graph_objects", extra="report")
    made = {"timeline": _timeline(objects, facts, zone), "heat": _heat(objects, facts, zone),
            "stalls": _stalls(objects, facts)}
    return {name: figure.to_plotly_json() for name, figure in made.items() if figure is not None}


def plotly_script() -> str:
    """plotly.js, as the Python package brings it: the whole library, since it brings no smaller one.

    Raises ExtraMissing, also where it is one that runs in no page with a policy such as ours.
    """
    version: str = need("plotly", extra="report").__version__
    if tuple(map(int, version.split(".")[:2])) < _OLDEST:
        raise ExtraMissing("this needs plotly 5.9 or later, and %s is here: pip install -U 'retrans_ctypes[report]'"
                           % version)
    text: str = need("plotly.offline", extra="report").get_plotlyjs()
    return text


def step_text(width_ns: int) -> str:
    return span(width_ns / 1000)


def _what(facts: Facts) -> str:
    return "events" if facts["counted"] == "events" else "segments"


def _layout(**more: Any) -> Dict[str, Any]:
    """What all have in common. Colours that depend on the theme are set where it is known: in the page."""
    layout = {
        "margin": {"l": 64, "r": 16, "t": 8, "b": 44}, "height": 320, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "separators": ".,", "hoverlabel": {"align": "left"},
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    }  # type: Dict[str, Any]
    layout.update(more)
    for axis in ("xaxis", "yaxis"):
        layout[axis].setdefault("title", {})["font"] = {"size": 13}
    return layout


def _local(at_ns: int, zone: Zone) -> str:
    """A moment on plotly's axis, which knows no time zones."""
    return zone.moment(at_ns)


def _timeline(objects: Any, facts: Facts, zone: Zone) -> Optional[Any]:
    steps, width = facts["timeline"]["steps"], facts["timeline"]["step_ns"]
    if not steps:
        return None
    traces = []
    for reason in ORDER:
        told = [step for step in steps if step["reasons"].get(reason)]
        if told:
            traces.append(objects.Bar(
                name=reason, x=[_local(step["start_ns"], zone) for step in told],
                y=[step["reasons"][reason] for step in told],
                width=[width // 10**6] * len(told), offset=0, marker={"color": COLOURS[reason], "line": {"width": 0}},
                hovertemplate="%{x}<br>" + label(reason) + ": %{y:,}<extra></extra>"))
    first, last = steps[0]["start_ns"], steps[-1]["start_ns"] + width
    pad = max(0, 10 * width - (last - first)) // 2  # a lone step shall not fill the figure
    return objects.Figure(traces, _layout(
        barmode="stack", bargap=0, showlegend=True,
        xaxis={"type": "date", "tickangle": 0, "title": {"text": "time, " + label(zone.name)},
               "range": [_local(first - pad, zone), _local(last + pad, zone)]},
        yaxis=_counts("%s per %s" % (_what(facts), step_text(width)),
                      max(sum(step["reasons"].values()) for step in steps))))


def _counts(title: str, most: int) -> Dict[str, Any]:
    """An axis of whole numbers."""
    axis = {"title": {"text": title}, "rangemode": "tozero", "tickformat": ",d"}  # type: Dict[str, Any]
    if most <= 5:
        axis["dtick"] = 1  # or there would be ticks in between, with the same numbers
    return axis


def _heat(objects: Any, facts: Facts, zone: Zone) -> Optional[Any]:
    """Colours go by the logarithm: one storm would leave all else pale."""
    heat = facts["heat"]
    if not heat["rows"]:
        return None
    rows = heat["rows"][::-1]  # plotly begins at the bottom
    width = heat["step_ns"]
    most = max(1, *(max(row["segments"]) for row in rows))
    ticks = [10**power for power in range(int(math.log10(most)) + 1)]
    if most > ticks[-1] * 2:
        ticks.append(most)
    trace = objects.Heatmap(
        x=[_local(start, zone) for start in heat["starts_ns"] + [heat["starts_ns"][-1] + width]],  # edges
        y=[_row_name(row["prefix"]) for row in rows],
        z=[[math.log10(count) if count else None for count in row["segments"]] for row in rows],
        customdata=[[count for count in row["segments"]] for row in rows],
        zmin=0, zmax=max(math.log10(most), 0.3), xgap=0, ygap=1, hoverongaps=False,
        colorbar={"thickness": 12, "outlinewidth": 0,
                  "tickvals": [math.log10(tick) for tick in ticks], "ticktext": [number(tick) for tick in ticks]},
        hovertemplate="%{y}<br>%{x}<br>%{customdata:,} " + _what(facts) + "<extra></extra>")
    first, last = heat["starts_ns"][0], heat["starts_ns"][-1] + width
    pad = max(0, 10 * width - (last - first)) // 2
    return objects.Figure([trace], _layout(
        height=64 + 24 * max(6, len(rows)),
        margin={"l": 8, "r": 8, "t": 8, "b": 44},
        xaxis={"type": "date", "tickangle": 0, "title": {"text": "time, " + label(zone.name)}, "showgrid": False,
               "range": [_local(first - pad, zone), _local(last + pad, zone)]},
        yaxis={"type": "category", "automargin": True, "showgrid": False, "ticks": "", "dtick": 1}))


def _row_name(prefix: Optional[str]) -> str:
    return "all others" if prefix is None else label(prefix)


def _stalls(objects: Any, facts: Facts) -> Optional[Any]:
    below = facts["stalls"]["below_us"]
    if not below:
        return None
    names = ["< " + span(limit) for limit in below]
    found = facts["stalls"]["reasons"]
    total = sum(map(sum, found.values()))
    traces = []
    for reason in ORDER:
        if reason in found:
            traces.append(objects.Bar(
                name=reason, x=names, y=found[reason], marker={"color": COLOURS[reason], "line": {"width": 0}},
                customdata=[percent(count / total) for count in found[reason]],
                hovertemplate="%{x}<br>" + label(reason) + ": %{y:,} (%{customdata})<extra></extra>"))
    return objects.Figure(traces, _layout(
        barmode="stack", bargap=0.08, showlegend=True,
        xaxis={"type": "category", "title": {"text": "how long data had waited"},
               "categoryorder": "array", "categoryarray": names},
        yaxis=_counts("events", max(map(sum, zip(*found.values()))))))

