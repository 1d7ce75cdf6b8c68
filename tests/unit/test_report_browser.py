"""The page in headless Chromium, offline: it draws, complains of nothing and asks for nothing."""
import os
import random
import shutil
import time
from functools import lru_cache
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from lab import tried
from lab.browser import Browser
from made_up_report import HOSTILE, REASON, event, facts_of, names, run, session
from retrans_ctypes.report import render
from retrans_ctypes.report.story import tell_story

pytestmark = pytest.mark.full

PICTURES = os.environ.get("RETRANS_TEST_PICTURES")  # a folder for those who want to look at them


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert shutil.which("chromium"), "the package chromium is missing: make -C native test FULL=1 installs it"
    with Browser() as opened:
        yield opened


def incident() -> Any:
    """Ten minutes in which a path fails for one."""
    dice = random.Random(1)
    web, batch = session(), names(unit="batch.service")
    made = [event(number / 4, dice.choice(["fast", "tlp", "rto"]), "10.%d.0.%d" % (number % 9, number % 7 + 1),
                  sport=number % 60 + 1000, stall_us=dice.randrange(1 << dice.randrange(8, 21)), owner_pid=number % 5 + 1,
                  bytes_sent=number * 9000, bytes_retrans=number * 90) for number in range(2400)]
    outage = [event(300 + number / 50, "rto", "192.0.2.%d" % (number % 3 + 1), stall_us=2 * 10**6 + number * 10**4,
                    sport=number % 40 + 5000, segs=3) for number in range(1500)]
    syns = [event(number * 7, "syn", "198.51.100.9", 5201, stall_us=10**6, retransmits=5) for number in range(80)]
    return facts_of(run(made, web), run(outage, web, batch), run(syns, web))


def hostile() -> Any:
    bad = names(unit=HOSTILE, container_id=HOSTILE, runtime=HOSTILE)
    return facts_of(run([event(number, owner_comm=HOSTILE.encode("utf-8")[:16]) for number in range(30)],
                        session(host=HOSTILE), bad), selection=HOSTILE)


def nothing_known() -> Any:
    poor = session(attach="tp", missing=("segs", "stall_us", "netns"), stats=None, ledger={"total": None, "why": "tp"})
    return facts_of(run([event(number, "", "10.0.0.%d" % number, known=0) for number in range(20)], poor))


CASES: Dict[str, Tuple[Callable[[], Any], int]] = {
    "incident": (incident, 3), "hostile": (hostile, 3), "nothing_known": (nothing_known, 2),
    "one_event": (lambda: facts_of(run([event(0, stall_us=7)])), 3),
    "week": (lambda: facts_of(run([event(number * 604.8, sorted(REASON)[number % 7]) for number in range(1000)])), 3),
    "nothing": (lambda: facts_of(sessions=[session()]), 0),
}


@lru_cache(maxsize=None)
def text(name: str) -> str:
    facts = CASES[name][0]()
    return render("html", facts, tell_story(facts))


def page(tmp_path: Any, name: str = "incident") -> str:
    path = str(tmp_path / "report.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text(name))
    return path


def wait_for(condition: Callable[[], bool]) -> None:
    """What the page does by itself takes a moment."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def drawn(browser: Browser) -> List[float]:
    """How wide what each figure has drawn is."""
    found: List[float] = browser.value(
        "[...document.querySelectorAll('.figure')].map(f => Math.max(0, ...[...f.querySelectorAll("
        "'.point path, .heatmaplayer image')].map(p => p.getBoundingClientRect().width)))")
    return found


@pytest.mark.parametrize("name", list(CASES))
def test_figures_are_drawn_without_complaints(browser: Browser, tmp_path: Any, name: str) -> None:
    figures = CASES[name][1]
    path = page(tmp_path, name)
    browser.open(path)
    widths = drawn(browser)
    assert len(widths) == figures and all(width >= 3 for width in widths), widths
    ticks = browser.value("[...document.querySelectorAll('.figure')].map(f => [...f.querySelectorAll('.ytick')].map("
                          "t => t.textContent))") if figures else []
    assert all(len(set(one)) == len(one) for one in ticks), ticks
    assert browser.complaints == []
    assert browser.requests[0] == "file://" + path
    assert all(url.startswith("data:image/png;") for url in browser.requests[1:]), browser.requests
    assert browser.value("document.images.length + document.scripts.length") == (3 if figures else 1)
    assert browser.picture(str(tmp_path / "page.png")).startswith(b"\x89PNG")


def colours(browser: Browser) -> Any:
    return browser.value("""(() => { const css = getComputedStyle(document.body);
        const tick = getComputedStyle(document.querySelector('.xtick text'));
        return [css.backgroundColor, css.color, tick.fill]; })()""")


def test_dark_and_light_and_a_change_while_it_is_open(browser: Browser, tmp_path: Any) -> None:
    path = page(tmp_path)
    browser.open(path, dark=True)
    dark = colours(browser)
    browser.open(path)
    light = colours(browser)
    assert dark == ["rgb(18, 22, 27)", "rgb(228, 232, 237)", "rgb(228, 232, 237)"]
    assert light == ["rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(27, 31, 36)"]
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    wait_for(lambda: colours(browser) == dark)
    assert browser.complaints == []


@pytest.mark.parametrize("width", [390, 900, 1280, 1600])
def test_it_fits(browser: Browser, tmp_path: Any, width: int) -> None:
    """Nothing is wider than the page; wide tables scroll for themselves."""
    browser.open(page(tmp_path), width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("Math.max(...[...document.querySelectorAll('.main-svg')].map("
                         "s => s.getBoundingClientRect().right))") <= width
    if PICTURES:
        browser.picture(os.path.join(PICTURES, "report-%d.png" % width))


def test_a_policy_that_holds(browser: Browser, tmp_path: Any) -> None:
    """A script that is not ours does not run, and nothing is loaded: the browser says so."""
    path = page(tmp_path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text("incident").replace("<body>", "<body><script>window.ran = 1</script><img src='x.png'>"))
    browser.open(path)
    assert browser.value("window.ran") is None
    assert len([one for one in browser.complaints if "Content Security Policy" in one]) >= 2, browser.complaints
    assert all(width >= 1 for width in drawn(browser))


def test_print(browser: Browser, tmp_path: Any) -> None:
    """In light colours and as wide as paper, also from a dark screen; afterwards all is as it was."""
    browser.open(page(tmp_path), 1600, dark=True)
    before = colours(browser), drawn(browser)
    browser.value("""window.addEventListener('beforeprint', () => { window.printed = [
        getComputedStyle(document.querySelector('.xtick text')).fill,
        Math.max(...[...document.querySelectorAll('.main-svg')].map(s => s.getBoundingClientRect().width))]; })""")
    made = browser.printed(str(tmp_path / "report.pdf"))
    assert made.startswith(b"%PDF-") and 2 <= made.count(b"/Type /Page\n") <= 12
    assert browser.value("window.printed") == ["rgb(0, 0, 0)", 680]
    wait_for(lambda: (colours(browser), drawn(browser)) == before)
    assert browser.complaints == []
    if PICTURES:
        shutil.copy(str(tmp_path / "report.pdf"), PICTURES)


# Each would set it, if one got to run.
SCRIPTS = [
    "</script><script>window.PWN=1</script>", "\"><img src=x onerror=window.PWN=1>", "' onmouseover=window.PWN=1 x='",
    "<svg/onload=window.PWN=1>", "<a href=javascript:window.PWN=1>x</a>", "javascript:window.PWN=1", "</style><body onload=window.PWN=1>",
    "]]><script>window.PWN=1</script>", "<iframe srcdoc='<script>parent.PWN=1</script>'>", "--><script>window.PWN=1</script><!--",
    "${window.PWN=1}", "\\u003cscript\\u003ewindow.PWN=1\\u003c/script\\u003e", "</title><script>window.PWN=1</script>"]


@pytest.mark.reliability
def test_no_script_of_a_name_runs(browser: Browser, tmp_path: Any) -> None:
    """Wherever a name stands: tables, figures, the headline, the page's title."""
    for script in SCRIPTS:
        bad = names(unit=script, container_id=script, runtime=script, cmdline=script)
        facts = facts_of(run([event(number, owner_comm=script.encode("utf-8")[:16]) for number in range(30)],
                             session(host=script, kernel=script), bad), selection=script)
        path = str(tmp_path / "r.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(render("html", facts, tell_story(facts)))
        browser.open(path)
        assert len(drawn(browser)) == 3
        browser.value("[...document.querySelectorAll('*')].map(e => ['mouseover', 'mouseenter', 'focus', 'click'].map("
                      "kind => e.tagName == 'A' || e.dispatchEvent(new Event(kind)))).length")
        assert browser.value("typeof window.PWN") == "undefined" and browser.value("document.images.length") == 0
        assert all(url.startswith("data:image/png;") for url in browser.requests[1:]), browser.requests
        tried.count("security", "report of names that are scripts, in Chromium", "no script of theirs runs")
