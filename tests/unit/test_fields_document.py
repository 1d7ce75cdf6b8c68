"""docs/fields.md is the field table, word for word."""
import os

from places import REPOSITORY
from retrans_ctypes import Event
from retrans_ctypes.records import markdown


def test_the_document_has_exactly_the_table() -> None:
    with open(os.path.join(REPOSITORY, "docs", "fields.md"), encoding="utf-8") as file:
        text = file.read()
    table = markdown(Event)
    assert table.count("\n") == 2 + sum(field.public for field in Event.FIELDS)
    assert table in text, "paste this into docs/fields.md:\n" + table
