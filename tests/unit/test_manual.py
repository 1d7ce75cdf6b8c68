"""The man page, the completions and docs/reference.md are made from the option parsers, and so complete."""
import importlib.util
import os
import pty
import re
import select
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List

import pytest
from lab.commands import environment
from places import NATIVE, REPOSITORY
from retrans_ctypes.cli.exits import DOCTOR_EXIT_CODES, EXIT_CODES

SCRIPT = os.path.join(NATIVE, "scripts", "manual.py")
MISSING_DATE = 'WARNING: missing date, using "": TH'  # the same sources give the same bytes on any day


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("manual", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    kept = list(sys.argv)
    spec.loader.exec_module(module)
    sys.argv[:] = kept
    return module


@pytest.fixture(scope="module")
def manual(tmp_path_factory: Any) -> str:
    """The folder that `make manual` would make."""
    folder = str(tmp_path_factory.mktemp("manual"))
    subprocess.run([sys.executable, SCRIPT, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def page(manual: str) -> str:
    """The man page as it is read."""
    done = subprocess.run(["man", "-l", os.path.join(manual, "retrans.1")], env=environment(MANWIDTH="80", LC_ALL="C"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=True)
    assert done.stderr == ""
    return done.stdout


def flags() -> Dict[str, List[str]]:
    return {name: [flag for action in parser._actions for flag in action.option_strings]
            for name, parser in loaded().parsers().items()}


def test_the_page_has_every_option_and_exit_code(page: str) -> None:
    every = {flag for listed in flags().values() for flag in listed}
    assert len(every) > 60
    assert {flag for flag in every if flag not in page} == set()
    text = " ".join(page.split())
    for meaning in list(EXIT_CODES.values()) + list(DOCTOR_EXIT_CODES.values()):
        assert meaning in text
    assert max(map(len, page.splitlines())) <= 80
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "FILTERS", "TIMES", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"):
        assert "\n%s\n" % title in page


def test_the_page_can_be_found(manual: str) -> None:
    said = subprocess.check_output(["lexgrog", os.path.join(manual, "retrans.1")], universal_newlines=True)
    assert said.endswith('"retrans - trace every TCP retransmission of this host"\n')


@pytest.mark.full
def test_the_page_is_clean(manual: str) -> None:
    done = subprocess.run(["mandoc", "-Tlint", os.path.join(manual, "retrans.1")], stdout=subprocess.PIPE,
                          universal_newlines=True)
    assert [line for line in done.stdout.splitlines() if not line.endswith(MISSING_DATE)] == []


def test_no_text_is_an_instruction_to_troff() -> None:
    roff = loaded().roff
    assert roff(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert roff("'so \\n-^~") == "\\(aqso \\en\\-\\(ha\\(ti"


def test_the_same_bytes_twice(manual: str, tmp_path: Any) -> None:
    subprocess.run([sys.executable, SCRIPT, str(tmp_path)], check=True, env=environment(COLUMNS="40", LC_ALL="C", TZ="EST5"))
    for name in os.listdir(manual):
        with open(os.path.join(manual, name), "rb") as one, open(str(tmp_path / name), "rb") as other:
            assert one.read() == other.read(), name


def test_without_shtab_one_sentence(tmp_path: Any) -> None:
    done = subprocess.run([sys.executable, "-S", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    assert done.returncode == 1 and "shtab is missing" in done.stderr and done.stderr.count("\n") == 1


def test_the_reference_is_that_of_the_parsers() -> None:
    text = subprocess.check_output([sys.executable, SCRIPT, "reference"], env=environment(COLUMNS="50")).decode("utf-8")
    with open(os.path.join(REPOSITORY, "docs", "reference.md"), encoding="utf-8") as file:
        same = file.read() == text
    assert same, "write docs/reference.md anew: python3 native/scripts/manual.py reference > docs/reference.md"
    for listed in flags().values():
        assert all("`%s`" % flag in text or "`%s " % flag in text for flag in listed)


def test_exit_codes_are_documented() -> None:
    with open(os.path.join(REPOSITORY, "docs", "exit-codes.md"), encoding="utf-8") as file:
        document = file.read()
    general, doctor = document.split("## doctor")
    for codes, text in ((EXIT_CODES, general), (DOCTOR_EXIT_CODES, doctor)):
        rows = [line for line in text.splitlines() if line.startswith("| ") and line[2].isdigit()]
        wanted = ["| %d | %s |" % (code, meaning.replace("|", "\\|")) for code, meaning in sorted(codes.items())]
        assert rows == wanted, "paste this into docs/exit-codes.md:\n" + "\n".join(wanted)
    with open(os.path.join(REPOSITORY, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    assert "docs/exit-codes.md" in readme
    told = {int(line.split("|")[1]) for line in readme.partition("## Exit codes")[2].partition("\n## ")[0].splitlines()
            if line.startswith("| ") and line[2].isdigit()}
    assert told in (set(), set(EXIT_CODES) | {127})


def completed(shell: str, manual: str, *words: str) -> List[str]:
    """What bash offers for the last of these words."""
    script = ('source "$1/retrans.bash"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*";'
              ' COMP_POINT=${#COMP_LINE}; _shtab_retrans; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run([shell, "--norc", "--noprofile", "-c", script, shell, manual] + list(words), check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, cwd=manual)
    return sorted(done.stdout.split())


def test_bash_knows_the_completion(manual: str) -> None:
    done = subprocess.run(["bash", "--norc", "-c", '. "$1/retrans.bash" && complete -p retrans', "bash", manual], check=True,
                          stdout=subprocess.PIPE, universal_newlines=True)
    assert done.stdout.startswith("complete ") and done.stdout.endswith(" retrans\n")


@pytest.mark.parametrize("words, offered", [
    (["cou"], ["count"]), (["d"], ["demo", "doctor"]), (["--reso"], ["--resolve"]), (["--utc", "--is"], ["--iso"]),
    (["--reason", "s"], ["syn", "synack"]), (["--not-reason", "t"], ["tlp"]), (["-o", "cm"], ["cmdline"]),
    (["count", "--by", "re"], ["reason", "remote"]), (["count", "--prefix"], ["--prefix4", "--prefix6"]),
    (["count", "--color", ""], ["always", "auto", "never"]), (["trace", "--compat", ""], ["bcc"]), (["demo", "--prefix"], []),
    (["trace", "--btf", "retr"], ["retrans.1", "retrans.bash"]), (["help", "doc"], ["doctor"]),
], ids=" ".join)
def test_bash_completes(manual: str, words: List[str], offered: List[str]) -> None:
    assert completed("bash", manual, "retrans", *words) == offered


def typed(argv: List[str], setup: str, keys: str, wanted: str) -> str:
    """What an interactive shell draws after these keys, up to `wanted`."""
    child, screen = pty.fork()
    if child == 0:
        os.environ.update(TERM="dumb", PS1="$ ", COLUMNS="80", HISTFILE="/dev/null")
        os.execvp(argv[0], argv)
    drawn = b""

    def seen() -> str:
        return re.sub(".\b", "", drawn.decode("utf-8", "replace"))

    def read_until(word: str) -> None:
        nonlocal drawn
        deadline = time.monotonic() + 20
        while word not in seen():
            assert time.monotonic() < deadline, drawn
            if select.select([screen], [], [], 0.1)[0]:
                drawn += os.read(screen, 65536)
    try:
        os.write(screen, (setup + "; echo rea''dy\n").encode())
        read_until("ready")
        drawn = b""
        os.write(screen, keys.encode())
        read_until(wanted)
        return seen()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(screen)


@pytest.fixture(scope="module")
def shells(manual: str) -> Iterator[Dict[str, Any]]:
    yield {
        "bash": (["bash", "--norc", "--noprofile", "-i"], ". %s/retrans.bash" % manual),
        "zsh": (["zsh", "-f", "-i"], "fpath=(%s $fpath); autoload -U compinit; compinit -u -D" % manual),
    }


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.full)])
@pytest.mark.parametrize("keys, whole", [
    ("retrans cou\t--by rem\t", "retrans count --by remote"), ("retrans doctor --trac\t", "retrans doctor --tracepoints"),
    ("retrans --not-rea\tpm\t", "retrans --not-reason pmtu"),
])
def test_tab_in_a_real_shell(shells: Dict[str, Any], shell: str, keys: str, whole: str) -> None:
    assert whole in typed(*shells[shell], keys, whole)
