# SPDX-License-Identifier: BSD-2-Clause
"""The man page, the completions and docs/reference.md, all made from the option parsers themselves.

    manual.py FOLDER       retrans.1, retrans.bash and _retrans (zsh), into FOLDER
    manual.py reference    docs/reference.md, on stdout

The completions are shtab's; nothing else here needs more than Python.
"""
import argparse
import os
import re
import sys
import textwrap
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "src"))
sys.argv[0] = "retrans"  # what the parsers call themselves

from retrans_ctypes import __version__  # noqa: E402  (found by the path above)
from retrans_ctypes.cli.commands import COMMANDS, DEFAULT  # noqa: E402
from retrans_ctypes.cli.exits import DOCTOR_EXIT_CODES, EXIT_CODES  # noqa: E402
from retrans_ctypes.cli.options import Parser  # noqa: E402
from retrans_ctypes.event import REASONS, STATES  # noqa: E402
from retrans_ctypes.sinks.columns import COLUMNS  # noqa: E402

PURPOSE = "trace every TCP retransmission of this host"
DESCRIPTION = """\
retrans shows every TCP retransmission of a Linux host as the kernel itself reports it: which connection, why it was \
sent again, whose it is and how long the data had been waiting; and at the end a ledger that weighs what was seen \
against the kernel's own counter. Without a command it traces. It needs root, or CAP_BPF and CAP_PERFMON."""
VARIABLES = {
    "NO_COLOR": "If set, nothing is painted unless --color says so.",
    "TERM": "Where it is 'dumb', nothing is painted either.",
    "COLUMNS": "How wide --help is, where there is no terminal.",
    "TZ": "The time zone of local times.",
    "RETRANS_CTYPES_LIBRARY": "The libtcpretrans.so to load in place of the package's own.",
    "RETRANS_PYTHON": "The Python that the start script of a bundle takes.",
}


class Row(NamedTuple):
    """One option: its spellings, each with what follows it, and what it does."""

    flags: Tuple[Tuple[str, str], ...]
    text: str


class Group(NamedTuple):
    title: str
    text: str
    rows: Tuple[Row, ...]


def parsers() -> Dict[str, Parser]:
    """By command."""
    return {name: import_module("retrans_ctypes.cli." + name).parser()
            for name in COMMANDS if find_spec("retrans_ctypes.cli." + name)}


def told(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS


def groups(parser: Parser) -> Iterator[Group]:
    formatter: Any = argparse.HelpFormatter("retrans")

    def value(action: argparse.Action) -> str:
        return "" if action.nargs == 0 else str(formatter._format_args(action, action.dest.upper()))

    for group in parser._action_groups:
        rows = []
        for action in filter(told, group._group_actions):
            flags = [(flag, value(action)) for flag in action.option_strings] or [("", value(action))]
            opposite = parser._option_string_actions.get("--not-" + flags[-1][0].lstrip("-"))
            if opposite is not None and not told(opposite):
                flags.append((opposite.option_strings[0], value(opposite)))
            rows.append(Row(tuple(flags), formatter._expand_help(action)))
        if rows:
            yield Group(group.title or "options", " ".join((group.description or "").split()), tuple(rows))


def shared(made: Dict[str, Parser]) -> Dict[str, Group]:
    """Groups that several commands have, and have alike: told once."""
    seen: Dict[str, List[Group]] = {}
    for parser in made.values():
        for group in groups(parser):
            seen.setdefault(group.title, []).append(group)
    return {title: alike[0] for title, alike in seen.items() if len(alike) > 1 and len(set(alike)) == 1}


def own(parser: Parser, common: Dict[str, Group]) -> Tuple[List[Group], List[str]]:
    """The groups that only this command has, and the titles of the others."""
    all_of_it = list(groups(parser))
    return ([group for group in all_of_it if group.title not in common],
            [group.title for group in all_of_it if group.title in common])


def paragraphs(parser: Parser) -> List[str]:
    return [" ".join(part.split()) for part in (parser.description or "").split("\n\n")]


# The man page.

def roff(text: str) -> str:
    """Text as it is: no letter of it is an instruction to troff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^\.", r"\\&.", text)


def roff_text(text: str) -> str:
    """Prose, in lines of the usual length."""
    lines = textwrap.wrap(roff(text), 78, break_on_hyphens=False, break_long_words=False)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in lines)


def roff_flag(flag: str, value: str) -> str:
    words = ["\\fB%s\\fR" % roff(flag)] if flag else []
    return " ".join(words + ["\\fI%s\\fR" % roff(value)] if value else words)


def roff_group(group: Group) -> Iterator[str]:
    if group.text:
        yield roff_text(group.text[0].upper() + group.text[1:])
    for row in group.rows:
        yield ".TP\n%s\n%s" % (", ".join(roff_flag(*flag) for flag in row.flags), roff_text(row.text))


def roff_codes(codes: Dict[int, str]) -> Iterator[str]:
    for code, meaning in sorted(codes.items()):
        yield ".TP 6\n\\fB%d\\fR\n%s" % (code, roff_text(meaning))


def roff_command(name: str, parser: Parser, common: Dict[str, Group]) -> Iterator[str]:
    yield '.SS "%s"' % roff(parser.usage_line().replace("usage: ", ""))
    yield "\n.PP\n".join(map(roff_text, paragraphs(parser)))
    for arguments, what in parser.examples:
        yield ".PP\n%s:\n.PP\n.RS 4\n.nf\n%s\n.fi\n.RE" % (
            roff(what[0].upper() + what[1:]), roff(("%s %s" % (parser.prog.split(" [")[0], arguments)).rstrip()))
    groups_of_it, others = own(parser, common)
    for group in groups_of_it:
        if group.title not in ("options", "positional arguments"):
            yield ".PP\n\\fB%s\\fR%s" % (roff(group.title.capitalize()), "\n.br" if group.text else "")
        yield from roff_group(group)
    if others:
        yield ".PP\nAlso the options of %s below." % roff(" and ".join(title.upper() for title in others))
    if parser.exit_codes is DOCTOR_EXIT_CODES:
        yield ".PP\nExit codes of this command:"
        yield from roff_codes(DOCTOR_EXIT_CODES)


def man_page(made: Dict[str, Parser]) -> str:
    common = shared(made)
    lines = ['.TH RETRANS 1 "" "retrans_ctypes %s" "User Commands"' % __version__,
             ".nh\n.ad l",
             ".SH NAME\nretrans \\- " + PURPOSE,
             ".SH SYNOPSIS\n.B retrans\n[\\fICOMMAND\\fR] [\\fIOPTION\\fR]...\n.br\n.B retrans help\n[\\fICOMMAND\\fR]",
             ".SH DESCRIPTION\n" + roff_text(DESCRIPTION), ".SH COMMANDS"]
    for name, parser in made.items():
        lines += roff_command(name, parser, common)
    for title, group in common.items():
        lines.append('.SH "%s"' % roff(title.upper()))
        lines += roff_group(group)
    lines.append(".SH EXIT STATUS")
    lines += roff_codes(EXIT_CODES)
    lines.append(".SH ENVIRONMENT")
    lines += [".TP\n\\fB%s\\fR\n%s" % (roff(name), roff_text(text)) for name, text in VARIABLES.items()]
    lines.append(".SH SEE ALSO\n.BR ss (8),\n.BR tcp (7),\n.BR capabilities (7)")
    return "\n".join(lines) + "\n"


# The reference.

def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(group: Group) -> str:
    rows = ["| option | what it does |", "| --- | --- |"]
    for row in group.rows:
        flags = ", ".join("`%s`" % " ".join(filter(None, flag)).replace("|", "\\|") for flag in row.flags)
        rows.append("| %s | %s |" % (flags, cell(row.text)))
    return "\n".join(rows)


def section(group: Group) -> str:
    text = group.text[:1].upper() + group.text[1:]
    return "\n\n".join(filter(None, [text and text.rstrip(".") + ".", table(group)]))


def markdown_command(name: str, parser: Parser, common: Dict[str, Group]) -> Iterator[str]:
    yield "## %s" % name
    yield from paragraphs(parser)
    examples = ["%s  # %s" % (("%s %s" % (parser.prog.split(" [")[0], arguments)).rstrip(), what)
                for arguments, what in parser.examples]
    yield "```sh\n%s\n```" % "\n".join(examples or [parser.usage_line().replace("usage: ", "")])
    groups_of_it, others = own(parser, common)
    for group in groups_of_it:
        if group.title not in ("options", "positional arguments"):
            yield "### %s: %s" % (name, group.title)
        yield section(group)
    if others:
        yield "And the options of %s." % " and ".join(
            "[%s](#%s)" % (title, title.replace(" ", "-")) for title in others)


def reference(made: Dict[str, Parser]) -> str:
    common = shared(made)
    parts = ["# Every command and option",
             "`retrans [COMMAND] [OPTION]...`; without a command it traces. `retrans help COMMAND` and `--help` show"
             " a screen of the most used options, `--help-all` all of them. What a command ends with:"
             " [exit codes](exit-codes.md). Columns of `-o`: [columns](columns.md).",
             "\n".join("- [%s](#%s): %s" % (name, name, COMMANDS[name]) for name in made)]
    for name, parser in made.items():
        parts += markdown_command(name, parser, common)
    for title, group in common.items():
        parts += ["## %s" % title.capitalize(), section(group)]
    return "\n\n".join(parts) + "\n"


# The completions.

def combined(made: Dict[str, Parser]) -> argparse.ArgumentParser:
    """One parser with a subparser for each command; the options of the default one are its own too."""
    import shtab

    for parser in made.values():
        for action in parser._actions:
            complete: Any = {"FILE": shtab.FILE, "FOLDER": shtab.DIRECTORY}.get(str(action.metavar))
            if complete:
                action.complete = complete  # type: ignore[attr-defined]
            if not told(action):
                action.help = "leave these out"
            known: Any = {"reason": REASONS, "state": STATES}.get(action.dest.replace("not_", ""))
            if known:
                action.choices = list(filter(None, known.values()))
            if action.dest == "columns":
                action.choices = list(COLUMNS) + ["help"]
    root = argparse.ArgumentParser("retrans", parents=[made[DEFAULT]], add_help=False)
    commands = root.add_subparsers(dest="command")
    for name, parser in made.items():
        commands.add_parser(name, help=COMMANDS[name], parents=[parser], add_help=False)
    explain = commands.add_parser("help", help="tell of a command", add_help=False)
    explain.add_argument("command", nargs="?", choices=list(made))
    return root


def write(path: str, text: str) -> None:
    """Several may at once, in one `make` and in the makes that it starts."""
    scratch = "{}.{}.new".format(path, os.getpid())
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(scratch, path)


def main(arguments: List[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    if arguments[0] == "reference":
        sys.stdout.write(reference(parsers()))
        return 0
    try:
        import shtab
    except ImportError:
        sys.stderr.write("manual: shtab is missing, which writes the completions: install it for %s\n" % sys.executable)
        return 1
    os.makedirs(arguments[0], exist_ok=True)
    write(os.path.join(arguments[0], "retrans.1"), man_page(parsers()))
    for shell, name in (("bash", "retrans.bash"), ("zsh", "_retrans")):
        write(os.path.join(arguments[0], name), shtab.complete(combined(parsers()), shell))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
