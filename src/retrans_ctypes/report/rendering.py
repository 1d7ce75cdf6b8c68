"""The formats of a report."""

import json
from typing import Any

from .facts import Facts
from .story import Story

FORMATS = ("html", "md", "json")


def render(form: str, facts: Facts, story: Story) -> str:
    """The whole report in one of FORMATS. Raises ExtraMissing for html."""
    if form == "html":
        from .html import page
        return page(facts, story)
    if form == "md":
        from .markdown import markdown
        return markdown(facts, story)
    told: Any = dict(facts, headline=story.headline, advice=story.advice, unknown=story.unknown)
    return json.dumps(told, indent=1, allow_nan=False) + "\n"
