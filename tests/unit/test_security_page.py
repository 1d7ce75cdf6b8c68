"""docs/security.md: each test that it names is there, and each threat and each file of tests/security has one."""
import ast
import os
import re
from typing import Dict, List, Set

from places import REPOSITORY

PAGE = os.path.join(REPOSITORY, "docs", "security.md")


def functions_in(path: str) -> Set[str]:
    with open(os.path.join(REPOSITORY, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def named() -> Dict[str, List[str]]:
    """File -> tests, as the table has them; '::test' is of the file that was named before."""
    found: Dict[str, List[str]] = {}
    last = ""
    with open(PAGE, encoding="utf-8") as file:
        for path, test in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", file.read()):
            last = path or last
            found.setdefault(last, []).append(test)
    return found


def test_the_tests_it_names_are_there() -> None:
    found = named()
    assert sum(map(len, found.values())) > 30
    for path, tests in found.items():
        assert set(tests) <= functions_in(path), (path, set(tests) - functions_in(path))


def test_each_threat_has_a_test() -> None:
    with open(PAGE, encoding="utf-8") as file:
        table = file.read().partition("## What is defended")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20 and all("`tests/" in row.rsplit(" | ", 1)[1] for row in rows)


def test_the_files_of_tests_security_are_all_named() -> None:
    names = {"tests/security/" + name for name in os.listdir(os.path.join(REPOSITORY, "tests", "security"))
             if name.startswith("test_")}
    assert names <= set(named())
