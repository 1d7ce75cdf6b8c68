# SPDX-License-Identifier: BSD-2-Clause
"""Write docs/api.md, the reference of the Python package, from the package's own words.

    api_page.py [--check]    --check: write nothing, and fail where the page is another

Needs Python 3.9 or later, and retrans_ctypes on its path.
"""
import ast
import importlib
import inspect
import os
import sys
import textwrap
from types import ModuleType
from typing import Any, Dict, Iterator, List, Tuple, Union

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(REPOSITORY, "docs", "api.md")

# What is promised to stay; other modules are the inside of the command line.
MODULES = [
    "retrans_ctypes", "retrans_ctypes.event", "retrans_ctypes.counts", "retrans_ctypes.capabilities",
    "retrans_ctypes.workload", "retrans_ctypes.testing", "retrans_ctypes.arrays", "retrans_ctypes.ndjson",
    "retrans_ctypes.clock", "retrans_ctypes.grouping", "retrans_ctypes.sums", "retrans_ctypes.recording",
    "retrans_ctypes.recording.writer", "retrans_ctypes.recording.database",
    "retrans_ctypes.sinks", "retrans_ctypes.doctor",
]

# What only other modules of the package are meant to use.
INNER = {
    "retrans_ctypes.event": {"address"}, "retrans_ctypes.counts": {"NativeRow", "Packed", "counts"},
    "retrans_ctypes.capabilities": {"capabilities"},
}

# How methods that are not called by name are used.
SPOKEN = {"__iter__": "for ... in", "__aiter__": "async for ... in"}

HEAD = """# The Python interface

Written by `make -C native api-page` from the docstrings; the tests compare. What an `Event` and a `Workload`
know is in [the fields](fields.md), how to use all this in [embedding](embedding.md). Every exception is a
`RetransError`; its `exit_code` is that of the command line. Names that begin with an underscore, and modules
that are not here, may change at any time.
"""

Definition = Union[ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef]


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def definitions(body: List[ast.stmt]) -> Iterator[Definition]:
    return (node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)))


def public(module: ModuleType) -> List[str]:
    """Its __all__, else what it defines itself."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [name for name in listed if name != "__version__"]
    assigned = [target.id for node in tree_of(module).body if isinstance(node, ast.Assign)
                for target in node.targets if isinstance(target, ast.Name)]
    names = assigned + [node.name for node in definitions(tree_of(module).body)]
    inner = INNER.get(module.__name__, set())
    return [name for name in dict.fromkeys(names) if not name.startswith("_") and name not in inner]


def definition(module: ModuleType, name: str) -> Tuple[str, Any]:
    """Where it is defined, and its node there; None where it is a value."""
    thing = getattr(module, name)
    home = getattr(thing, "__module__", None) if inspect.isclass(thing) or inspect.isroutine(thing) else None
    if home is None or not home.startswith("retrans_ctypes"):
        return module.__name__, None
    for node in definitions(tree_of(importlib.import_module(home)).body):
        if node.name == getattr(thing, "__name__", name):
            return home, node
    return home, None


def doc(node: Any) -> str:
    return textwrap.dedent(ast.get_docstring(node) or "").strip()


def is_field(node: ast.AST) -> bool:
    """Of a NamedTuple or its like; what packed records have is in docs/fields.md."""
    return (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0].islower()
            and not ast.unparse(node.annotation).strip("'").startswith("Field["))


def call(node: Any, name: str, bound: bool) -> str:
    """As it is called; ``bound``: without self or cls."""
    arguments = node.args
    static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)
    if bound and not static:
        arguments = ast.arguments(
            posonlyargs=arguments.posonlyargs, args=arguments.args[1:], vararg=arguments.vararg,
            kwonlyargs=[one for one in arguments.kwonlyargs if not one.arg.startswith("_")],
            kw_defaults=arguments.kw_defaults[:sum(not one.arg.startswith("_") for one in arguments.kwonlyargs)],
            kwarg=arguments.kwarg, defaults=arguments.defaults)
    answer = " -> " + ast.unparse(node.returns) if node.returns is not None and name != "" else ""
    return ast.unparse(arguments).replace('"', "") + ")" + answer.replace("'", "").replace('"', "")


def code(text: str) -> str:
    return "```python\n%s\n```\n" % "\n".join(
        textwrap.wrap(text, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))


def members(node: ast.ClassDef) -> Iterator[str]:
    """Its fields with what stands below them, its properties and methods."""
    for field, below in zip(node.body, node.body[1:] + [ast.Pass()]):
        if is_field(field):
            said = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                said = ": " + " ".join(str(below.value.value).split())
            assert isinstance(field, ast.AnnAssign)
            yield "- `%s` (`%s`)%s" % (ast.unparse(field.target), ast.unparse(field.annotation), said)
    for method in definitions(node.body):
        if method.name in SPOKEN and doc(method):
            yield "- `%s %s`: %s" % (SPOKEN[method.name], node.name.lower(), " ".join(doc(method).split()))
        if method.name.startswith("_") or isinstance(method, ast.ClassDef):
            continue
        said = " ".join(doc(method).split())
        if any(isinstance(one, ast.Name) and one.id == "property" for one in method.decorator_list):
            returned = " (`%s`)" % ast.unparse(method.returns).strip("'\"") if method.returns is not None else ""
            yield "- `%s`%s%s" % (method.name, returned, ": " + said if said else "")
        else:
            yield "- `%s(%s`%s" % (method.name, call(method, method.name, True), ": " + said if said else "")


def inner_bases(module: ModuleType, name: str) -> List[ast.ClassDef]:
    """Those classes of the package that it inherits from and that have no entry of their own."""
    shown = {thing for one in MODULES for thing in vars(importlib.import_module(one)).values() if inspect.isclass(thing)}
    found = []
    for base in getattr(module, name).__mro__[1:]:
        if base.__module__.startswith("retrans_ctypes") and base not in shown and base.__name__[0] != "_":
            found.append(definition(importlib.import_module(base.__module__), base.__name__)[1])
    return found


def entry(module: ModuleType, name: str) -> str:
    _, node = definition(module, name)
    if not isinstance(node, ast.ClassDef):
        return "### %s\n\n%s\n%s\n" % (name, code(name + "(" + call(node, name, False)), doc(node))
    makers = [one for one in definitions(node.body) if one.name in ("__init__", "__new__")]
    made = code(name + "(" + call(makers[0], "", True)) + "\n" if makers else ""
    listed = "\n".join(line for part in [node] + inner_bases(module, name) for line in members(part))
    bases = ", ".join("`%s`" % base for base in map(ast.unparse, node.bases) if base[0] != "_")
    kind = "A %s.\n\n" % bases if bases and bases != "`NamedTuple`" else ""
    return "### %s\n\n%s%s%s\n%s" % (name, made, kind, doc(node), "\n" + listed + "\n" if listed else "")


def section(name: str, seen: Dict[str, str]) -> str:
    module = importlib.import_module(name)
    parts = ["## %s\n\n%s\n" % (name, doc(tree_of(module)))]
    again, values = [], []
    for member in public(module):
        home, node = definition(module, member)
        if node is None:
            values.append("`%s` (`%s`)" % (member, type(getattr(module, member)).__name__))
            continue
        if (home + "." + member) in seen:
            again.append("`%s`" % member)
            continue
        seen[home + "." + member] = name
        parts.append(entry(module, member))
    if values:
        parts.append("Values: %s.\n" % ", ".join(values))
    if again:
        parts.append("Also here: %s (above).\n" % ", ".join(again))
    return "\n".join(parts)


def page() -> str:
    seen: Dict[str, str] = {}
    return "\n".join([HEAD] + [section(name, seen) for name in MODULES])


def main(arguments: List[str]) -> int:
    text = page()
    if arguments == ["--check"]:
        with open(PAGE, encoding="utf-8") as file:
            same = file.read() == text
        if not same:
            print("docs/api.md is not what the docstrings say; `make -C native api-page` writes it", file=sys.stderr)
        return 0 if same else 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
