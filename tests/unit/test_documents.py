"""README and docs/ say what the code says, and their links lead somewhere."""
import glob
import importlib
import os
import re
import subprocess
import sys
from typing import Any, Iterator, List, Set, Tuple

import pytest
from places import NATIVE, REPOSITORY

DOCS = os.path.join(REPOSITORY, "docs")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
ABROAD = re.compile(r"https://[a-z0-9.-]+\.[a-z]{2,}(/[\w./~#?=&%+-]*)?\Z")


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def pages() -> List[str]:
    return [os.path.join(REPOSITORY, name) for name in ("README.md", "CHANGELOG.md", "native/vendor/libbpf/README.md")] + sorted(
        glob.glob(os.path.join(DOCS, "*.md")))


def prose(path: str) -> str:
    """Without blocks of code."""
    return CODE.sub("", read(path))


def anchors(path: str) -> Set[str]:
    """What the headings of a page are called in links, as code hosts do it."""
    titles = re.findall(r"^#{1,6} +(.*?)\s*$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> Iterator[Tuple[str, str]]:
    for page in pages():
        for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
            yield page, link


def test_there_are_pages_and_links() -> None:
    assert len(pages()) > 15 and len(list(links())) > 50


def test_links_lead_somewhere() -> None:
    """Those to other hosts are looked at for their form only: tests have no network."""
    dead = []
    for page, link in links():
        if "://" in link or link.startswith("mailto:"):
            good = bool(ABROAD.match(link))
        else:
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            good = os.path.isfile(target) and (not anchor or anchor in anchors(target))
        if not good:
            dead.append("%s: %s" % (os.path.relpath(page, REPOSITORY), link))
    assert dead == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"- .*: ([\w-]+\.md)$", read(os.path.join(REPOSITORY, "mkdocs.yml")), re.M))
    assert listed == {os.path.basename(path) for path in glob.glob(os.path.join(DOCS, "*.md"))} | {"index.md"}


def test_every_example_is_shown() -> None:
    shown = read(os.path.join(DOCS, "embedding.md"))
    for path in glob.glob(os.path.join(DOCS, "examples", "*.py")):
        assert "(examples/%s)" % os.path.basename(path) in shown


def test_the_readme_is_short() -> None:
    assert read(os.path.join(REPOSITORY, "README.md")).count("\n") < 220


# The interface in C.

def test_c_functions_and_structs(header: str) -> None:
    page = read(os.path.join(DOCS, "c-api.md"))
    exported = set(re.findall(r"(tcpretrans_\w+);", read(os.path.join(NATIVE, "libtcpretrans.map"))))
    declared = set(re.findall(r"TCPRETRANS_API [^;(]*?(tcpretrans_\w+)\(", header))
    assert set(re.findall(r"^\| `(\w+)\(", page, re.M)) == exported == declared
    assert "[%d functions](c-api.md)" % len(exported) in read(os.path.join(DOCS, "design.md"))
    for kind in ("struct", "enum"):
        defined = set(re.findall(kind + r" (tcpretrans\w*) ?[{;]", header))
        assert set(re.findall(r"^\| `%s (\w+)` \|" % kind, page, re.M)) == defined
    assert set(re.findall(r"\(\*(tcpretrans_\w+)\)", header)) <= set(re.findall(r"`(tcpretrans_\w+)`", page))


# The interface in Python.

@pytest.fixture(scope="module")
def api_page() -> Any:
    sys.path.insert(0, os.path.join(NATIVE, "scripts"))
    try:
        return importlib.import_module("api_page")
    finally:
        sys.path.pop(0)


def test_the_python_page_is_what_the_docstrings_say() -> None:
    script = os.path.join(NATIVE, "scripts", "api_page.py")
    done = subprocess.run([sys.executable, script, "--check"], stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_says_something(api_page: Any) -> None:
    page = read(os.path.join(DOCS, "api.md"))
    assert "retrans_ctypes" in api_page.MODULES and len(api_page.MODULES) > 10
    for module in map(importlib.import_module, api_page.MODULES):
        assert "\n## %s\n" % module.__name__ in page
        for name in api_page.public(module):
            _, node = api_page.definition(module, name)
            assert ("\n### %s\n" if node else "`%s` (") % name in page, "%s.%s" % (module.__name__, name)
            assert node is None or api_page.doc(node), "%s.%s has no docstring" % (module.__name__, name)


def test_what_others_may_import_is_listed() -> None:
    """Modules beside the listed ones are the inside of a command, or of the package."""
    import retrans_ctypes

    named = {name.split(".")[1] for name in re.findall(r"retrans_ctypes\.\w+", prose(os.path.join(DOCS, "embedding.md")))}
    page = read(os.path.join(DOCS, "api.md"))
    assert retrans_ctypes.__all__
    assert [name for name in sorted(named) if "## retrans_ctypes.%s\n" % name not in page] == []
