"""docs/fields.md has the field tables, word for word."""
import os
from typing import Type

import pytest
from places import REPOSITORY
from retrans_ctypes import Event
from retrans_ctypes.records import Record, markdown
from retrans_ctypes.workload import Workload


@pytest.mark.parametrize("record", [Event, Workload])
def test_the_document_has_exactly_the_table(record: Type[Record]) -> None:
    with open(os.path.join(REPOSITORY, "docs", "fields.md"), encoding="utf-8") as file:
        text = file.read()
    table = markdown(record)
    assert table.count("\n") == 2 + sum(field.public for field in record.FIELDS)
    assert table in text, "paste this into docs/fields.md:\n" + table
