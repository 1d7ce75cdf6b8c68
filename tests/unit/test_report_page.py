"""The page without a browser: it is well-formed, loads nothing, and nothing in it is taken for HTML."""
import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple

import pytest
from lab import tried
from made_up_report import HOSTILE, event, facts_of, names, run, session
from markdown_it import MarkdownIt
from retrans_ctypes.errors import ExtraMissing
from retrans_ctypes.report import render
from retrans_ctypes.report.figures import COLOURS, label, plotly_script
from retrans_ctypes.report.markdown import code, plain
from retrans_ctypes.report.story import tell_story

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Its elements, and their balance."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.open: List[str] = []
        self.texts: Dict[str, List[str]] = {}
        self.words: List[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        self.texts.setdefault(inside, []).append(data)
        if inside not in ("script", "style"):
            self.words.append(data)


def made(form: str = "html", *events: Any, **values: Any) -> str:
    facts = facts_of(run(events or [event(0, stall_us=5), event(1, "rto", stall_us=10**6)], **values))
    return render(form, facts, tell_story(facts, utc=True))


def hostile() -> Any:
    """A recording in which every text is."""
    bad = names(**{name: HOSTILE for name in (
        "cgroup", "unit", "container_id", "runtime", "pod_uid", "pod_namespace", "pod_name", "netns_name", "user",
        "cmdline")})
    ledger = {"total": None, "namespaces": [], "why": HOSTILE}
    one = session(host=HOSTILE, kernel=HOSTILE, boot_id=HOSTILE, version=HOSTILE, attach=HOSTILE, buffer=HOSTILE,
                  missing=(HOSTILE,), filter=HOSTILE, ledger=ledger)
    return facts_of(run([event(number, owner_comm=HOSTILE.encode("utf-8")[:16]) for number in range(30)], one, bad),
                    selection=HOSTILE, remarks=[HOSTILE])


def test_the_page_is_well_formed_and_has_all_parts() -> None:
    page = Page(made())
    headings = [text for text in page.texts["h2"]]
    assert headings == ["What to look at", "When, and why", "To whom, and when", "Where it hurts most", "What it cost",
                        "The ledger", "What is unknown", "How it was recorded"]
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert {"figures", "figure-timeline", "figure-heat", "figure-stalls"} <= ids
    assert page.texts["title"][:1] == ["TCP retransmits on web1"]


@pytest.mark.parametrize("facts", [facts_of(run([event()])), hostile()], ids=["plain", "hostile"])
def test_it_loads_nothing(facts: Any) -> None:
    page = Page(render("html", facts, tell_story(facts)))
    for tag, attributes in page.elements:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base", "form", "a", "image", "use"), attributes
        assert not {"src", "href", "xlink:href", "srcset", "action", "background"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    styles = "".join(page.texts["style"])
    assert "url(" not in styles and "@import" not in styles and "@font-face" not in styles


def test_only_scripts_that_the_policy_names() -> None:
    page = Page(made())
    policy = next(attributes["content"] or "" for tag, attributes in page.elements
                  if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ") and "unsafe-eval" not in policy
    kinds = [attributes.get("type") for tag, attributes in page.elements if tag == "script"]
    assert kinds == ["application/json", None, None]
    found = re.findall(r"'sha256-([^']+)'", policy)
    assert re.search(r"script-src ('sha256-[^']+' ?){2};", policy)
    text = made()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert [base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode() for script in scripts] == found


def test_plotly_cannot_end_its_own_script() -> None:
    script = plotly_script().lower()
    assert "</script" not in script and "<!--" not in script


def test_a_plotly_that_wants_to_evaluate_text_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr("plotly.__version__", "5.0.0")
    with pytest.raises(ExtraMissing, match="5.9 or later, and 5.0.0 is here"):
        plotly_script()


@pytest.mark.reliability
def test_hostile_names_are_text() -> None:
    facts = hostile()
    text = render("html", facts, tell_story(facts))
    page = Page(text)
    without_plotly = text.replace(plotly_script(), "")
    assert "onerror=alert" in "".join(page.words), "it is shown"
    assert "<img" not in without_plotly and "\x1b" not in text and "\u202e" not in text
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 3
    assert all(one.isprintable() or one.isspace() for one in page.words)
    tried.count("security", "report of names that are HTML", "shown as text")


def test_figures_are_json_and_take_no_tags() -> None:
    facts = hostile()
    page = Page(render("html", facts, tell_story(facts)))
    figures = json.loads(page.texts["script"][0])
    assert set(figures) == {"timeline", "heat", "stalls"}
    assert "<" not in page.texts["script"][0]
    assert label("<b>&lt;\n") == "&lt;b&gt;&amp;lt;\\x0a"


def test_reasons_have_one_colour_each() -> None:
    page = Page(made())
    figures = json.loads(page.texts["script"][0])
    for name in ("timeline", "stalls"):
        assert all(trace["marker"]["color"] == COLOURS[trace["name"]] for trace in figures[name]["data"])
    assert {attributes.get("fill") for tag, attributes in page.elements if tag == "rect"} == {
        COLOURS["rto"], COLOURS["fast"]}
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_nothing_to_draw_needs_no_script() -> None:
    facts = facts_of(sessions=[session()])
    text = render("html", facts, tell_story(facts))
    page = Page(text)
    assert len(text) < 20000 and "script-src 'none'" in text
    assert "Nothing was sent again" in "".join(page.words) and "h3" not in page.texts


def test_numbers_stand_to_the_right() -> None:
    page = Page(made())
    cells = [attributes.get("class") for tag, attributes in page.elements if tag == "td"]
    assert cells.count("n") > 10 and "tabular-nums" in "".join(page.texts["style"])


def test_markdown_is_what_it_says() -> None:
    """A renderer finds its tables, and no tag, link or picture in the names."""
    facts = hostile()
    text = render("md", facts, tell_story(facts))
    assert "\x1b" not in text and "\r" not in text and "\u202e" not in text
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    for tag in ("<img", "<a ", "<script", "<em>"):
        assert tag not in html
    assert html.count("<table>") >= 5 and "onerror=alert" in html
    columns = [len(re.findall("<th[ >]", line)) for line in html.split("</tr>")]
    assert columns.count(6) == 5, "the tables of what is worst"


@pytest.mark.parametrize("text", ["", " ", "`", "``a`", "a|b", HOSTILE, "a" * 300, "\\", "*b*", "http://evil.example/"])
def test_code_spans_hold_anything(text: str) -> None:
    html = MarkdownIt("commonmark").render("x " + code(text) + " y")
    assert html.count("<code>") == 1 and html.startswith("<p>x <code>") and html.endswith("</code> y</p>\n")
    assert MarkdownIt("commonmark", {"html": True}).render("x" + plain(text)).count("<") == 2


def test_json_holds_all() -> None:
    told = json.loads(made("json"))
    assert told["type"] == "report" and told["version"] == 1 and told["headline"] and told["advice"] is not None
    facts = hostile()
    assert json.loads(render("json", facts, tell_story(facts)))["sessions"][0]["host"] == HOSTILE


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_events_in_which_nothing_was_sent(form: str) -> None:
    """Shares of nothing are not known."""
    facts = facts_of(run([event(number, "rto", segs=0) for number in range(30)] + [event(40, "", segs=0)]))
    assert "0 segments were sent again" in render(form, facts, tell_story(facts, utc=True))
