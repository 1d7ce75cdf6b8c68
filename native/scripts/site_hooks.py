# SPDX-License-Identifier: BSD-2-Clause
"""What mkdocs does besides: the first page is the README, and sources that pages refer to go along.

In the repository pages link to files beside docs/, which a site would not have. They are put below
source/ as text, and links lead there.
"""
import os
import posixpath
import re
from typing import Any, Set

from mkdocs.structure.files import File

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
README = "README.md"
LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(#[^)\s]*)?(?=\))")


def read(path: str) -> str:
    with open(os.path.join(REPOSITORY, path), encoding="utf-8") as file:
        return file.read()


def sources_of(text: str, page: str) -> Set[str]:
    """Files of the repository, other than pages and what lies beside them, that the page `page` links to."""
    return {path for path in (in_repository(link, page) for link, _ in LINK.findall(text))
            if path != README and not in_docs(path)}


def in_repository(link: str, page: str) -> str:
    """The file that a link of that page means; both as paths from the repository's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def in_docs(path: str) -> bool:
    return path.startswith("docs/")


def on_files(files: Any, config: Any) -> Any:
    """The README becomes index.md, and each source that any page links to a text file."""
    pages = {"docs/" + file.src_uri: read("docs/" + file.src_uri) for file in files.documentation_pages()}
    pages[README] = read(README)
    files.append(File.generated(config, "index.md", content=pages[README]))
    for path in sorted(set().union(*(sources_of(text, page) for page, text in pages.items()))):
        files.append(File.generated(config, "source/%s.txt" % path, content=read(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links as the site needs them."""
    own = README if page.file.src_uri == "index.md" else "docs/" + page.file.src_uri
    here = posixpath.dirname(page.file.src_uri)

    def changed(match: Any) -> str:
        path, anchor = in_repository(match.group(1), own), match.group(2) or ""
        if path == README:
            target = "index.md"
        elif in_docs(path):
            target = path[len("docs/"):]
        else:
            target, anchor = "source/%s.txt" % path, ""
        return posixpath.relpath(target, here or ".") + anchor

    return LINK.sub(changed, markdown)
