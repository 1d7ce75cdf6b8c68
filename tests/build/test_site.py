"""The documentation as a site: it builds without a warning, and leads nowhere that is not there."""
import glob
import os
import re
from html.parser import HTMLParser
from typing import Dict, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

import pytest

from building import BUILD, NATIVE, REPO, make

SITE = os.path.join(BUILD, "site")
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page names, links to, and has the browser load."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.names: Set[str] = {"", "__top"}
        self.links: List[str] = []
        self.loads: List[str] = []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.names.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get("rel") not in ("canonical", "prev", "next") and LOADED.get(tag) in given:
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site() -> Dict[str, Page]:
    """Its pages by path, built by the target that people use."""
    said = make(NATIVE, "docs")
    assert "WARNING" not in said
    paths = glob.glob(os.path.join(SITE, "**", "*.html"), recursive=True)
    return {path: Page(path) for path in paths}


@pytest.mark.full
def test_every_page_is_there(site: Dict[str, Page]) -> None:
    written = {os.path.basename(path)[:-3] for path in glob.glob(os.path.join(REPO, "docs", "*.md"))}
    built = {os.path.basename(path)[:-5] for path in site}
    assert written | {"index", "404"} == built


@pytest.mark.full
def test_links_and_anchors_lead_somewhere(site: Dict[str, Page]) -> None:
    """Those to other hosts are looked at for their form only: tests have no network."""
    dead = []
    checked = 0
    for path, page in site.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme:
                good = parts.scheme == "https" and "." in parts.netloc
            else:
                base = SITE if parts.path.startswith("/") else os.path.dirname(path)
                target = os.path.normpath(os.path.join(base, unquote(parts.path).lstrip("/"))) if parts.path else path
                if os.path.isdir(target):
                    target = os.path.join(target, "index.html")
                good = os.path.isfile(target)
                if good and parts.fragment and target in site:
                    good = unquote(parts.fragment) in site[target].names
                checked += 1
            if not good:
                dead.append("%s: %s" % (os.path.relpath(path, SITE), link))
    assert dead == [] and checked > 500


@pytest.mark.full
def test_nothing_comes_from_elsewhere(site: Dict[str, Page]) -> None:
    """No font, script, style or picture of another host: it is read where there is no network."""
    assert [(path, load) for path, page in site.items() for load in page.loads if urlsplit(load).netloc] == []
    for path in glob.glob(os.path.join(SITE, "assets", "stylesheets", "*.css")):
        with open(path, encoding="utf-8") as file:
            assert re.findall(r"(?:url\(|@import)[\s\"']*(?:https?:)?//[^)\"']*", file.read()) == []


@pytest.mark.full
def test_sources_go_along(site: Dict[str, Page]) -> None:
    """What pages link to beside docs/ is there as text."""
    for name in ("native/libtcpretrans.h", "native/tcpretrans_event.h", "LICENSE"):
        with open(os.path.join(REPO, name), encoding="utf-8") as ours:
            with open(os.path.join(SITE, "source", name + ".txt"), encoding="utf-8") as copy:
                assert copy.read() == ours.read()
