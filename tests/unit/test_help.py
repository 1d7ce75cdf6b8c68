"""What --help, --help-all and `help` say, for each command that there is."""
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Dict, List

import pytest
from lab.commands import environment
from retrans_ctypes.cli import COMMANDS, chosen
from retrans_ctypes.cli.exits import DOCTOR_EXIT_CODES, EXIT_CODES
from retrans_ctypes.cli.options import Parser
from retrans_ctypes.errors import UsageError

HERE = [name for name in COMMANDS if find_spec("retrans_ctypes.cli." + name)]
PARTS = ("trace", "count", "demo", "doctor")


def parser_of(command: str) -> Parser:
    made: Parser = import_module("retrans_ctypes.cli." + command).parser()
    return made


def said(*arguments: str, code: int = 0, **variables: str) -> List[str]:
    """What it prints, from a console script named `retrans`; there is no library, as help needs none."""
    start = "import sys; sys.argv[0] = 'retrans'; from retrans_ctypes.__main__ import main; sys.exit(main())"
    changes: Dict[str, Any] = {"COLUMNS": "80", "RETRANS_CTYPES_LIBRARY": "/nowhere.so"}
    changes.update(variables)
    done = subprocess.run([sys.executable, "-c", start] + list(arguments), env=environment(**changes), timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == code, done.stderr
    assert bool(done.stderr) == bool(code), done.stderr
    return (done.stderr if code else done.stdout).splitlines()


def test_commands_are_there() -> None:
    assert set(PARTS) <= set(HERE)


@pytest.mark.parametrize("command", HERE)
def test_help_fits_a_screen_and_opens_with_examples(command: str) -> None:
    lines = said(command, "--help")
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "--help-all" in lines[-1] and "man retrans" in lines[-1]
    if parser_of(command).examples:
        assert "examples:" in lines[:4]
    assert lines == said("help", command) == said(command, "-h")


@pytest.mark.parametrize("command", PARTS)
def test_examples_are_right(command: str) -> None:
    """Three to five, and each is what the parser takes."""
    made = parser_of(command)
    assert 3 <= len(made.examples) <= 5
    for arguments, what in made.examples:
        made.parse_args(arguments.split(" | ")[0].replace("'", "").split())
        assert what and any(line.endswith("# " + what) for line in said(command, "--help")), what


@pytest.mark.parametrize("command", HERE)
def test_most_used_options_are_told(command: str) -> None:
    """At least four of them where there are so many, and each in the order of the command's choice."""
    told = [action.option_strings[-1] for action in parser_of(command).told() if action.option_strings]
    text = "\n".join(said(command, "--help"))
    shown = [flag for flag in told if flag in text.partition("options:")[2]]
    assert shown == told[:len(shown)] and len(shown) >= min(4, len(told))


@pytest.mark.parametrize("command", HERE)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_all_tells_of_everything(command: str, columns: int) -> None:
    lines = said(command, "--help-all", COLUMNS=str(columns))
    text = " ".join(" ".join(lines).split())
    for action in parser_of(command)._actions:
        if action.help != "==SUPPRESS==":
            assert all(flag in text for flag in action.option_strings), action
    for meaning in (DOCTOR_EXIT_CODES if command == "doctor" else EXIT_CODES).values():
        assert meaning in text
    pasted = {line for line in lines if line.startswith("  retrans ")}  # a command is never broken
    assert max(len(line) for line in lines if line not in pasted) <= min(columns, 100)


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.parametrize("command", HERE)
def test_help_on_other_terminals(command: str, columns: int) -> None:
    lines = said(command, "--help", COLUMNS=str(columns))
    assert max(len(line) for line in lines if not line.startswith("  retrans ")) <= min(columns, 100)


def test_help_names_the_commands() -> None:
    """Half a line each."""
    text = "\n".join(said("--help"))
    assert said("--help") == said("help") == said("trace", "--help") == said("help", "help")
    for name, words in COMMANDS.items():
        assert "%-8s %s" % (name, words) in text and len(words) <= 28


def test_help_names_the_program_as_it_was_started() -> None:
    done = subprocess.run([sys.executable, "-m", "retrans_ctypes", "count", "--help"], env=environment(COLUMNS="80"),
                          stdout=subprocess.PIPE, universal_newlines=True, check=True)
    lines = done.stdout.splitlines()
    assert "  python3 -m retrans_ctypes count --by remote --top 5" in done.stdout
    assert len(lines) <= 24 and max(map(len, lines)) <= 80


@pytest.mark.parametrize("word, meant", [
    ("tpo", "top"), ("cuont", "count"), ("doctro", "doctor"), ("trac", "trace"), ("hlep", "help"), ("reply", "replay"),
    ("no-such", None), ("\x1b[31m", None), ("\u00fc", None),
])
def test_a_command_that_is_not_there(word: str, meant: str) -> None:
    line, = said(word, code=2)
    assert "retrans --help" in line and line.isprintable()
    assert ("did you mean '%s'?" % meant in line) if meant else "did you mean" not in line
    assert said("help", word, code=2) == [line]


def test_choosing_a_command() -> None:
    assert chosen([]) == ("trace", [])
    assert chosen(["-4"]) == ("trace", ["-4"])
    assert chosen(["count", "--by", "pid"]) == ("count", ["--by", "pid"])
    assert chosen(["help", "count"]) == ("count", ["--help"])
    with pytest.raises(UsageError):
        chosen([""])


@pytest.mark.parametrize("command", PARTS)
def test_verbose_and_color_mean_the_same_everywhere(command: str) -> None:
    options = parser_of(command)._option_string_actions
    assert (options["-v"].help or "").startswith("tell more: how it is attached, what that lacks")
    assert options["--color"].choices == ("auto", "always", "never")


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_help_in_the_locale_of_c(variables: Dict[str, str]) -> None:
    for command in HERE:
        assert said(command, "--help-all", **variables) == said(command, "--help-all")


def test_options_are_explained_in_the_same_words_everywhere() -> None:
    """A flag of two commands does the same in both, so its metavar is the same too."""
    seen: Dict[str, str] = {}
    for command in PARTS:
        for flag, action in parser_of(command)._option_string_actions.items():
            assert seen.setdefault(flag, str(action.metavar)) == str(action.metavar), (command, flag)
    assert len(seen) > 40 and os.path.sep not in seen
