"""Users and capabilities as they are written, and what a library's refusal to drop rights is called."""
import grp
import pwd
from typing import Any, Callable

import pytest
from fake_library import FakeLibrary
from retrans_ctypes import PermissionDenied, RetransError, Tracer, UsageError
from retrans_ctypes.rights import Account, account, capability_names

ROOT = pwd.getpwuid(0)


@pytest.mark.parametrize("text, expected", [
    (ROOT.pw_name, (0, ROOT.pw_gid)),
    ("0", (0, ROOT.pw_gid)),
    ("54321:6", (54321, 6)),
    ("%s:%s" % (ROOT.pw_name, grp.getgrgid(0).gr_name), (0, 0)),
    ("4294967294:4294967294", (4294967294, 4294967294)),
])
def test_accounts(text: str, expected: Any) -> None:
    assert account(text) == Account(*expected)


@pytest.mark.parametrize("text, words", [
    ("no-such-user", "'no-such-user'"), ("", "''"), (":", "''"), ("0:no-such-group", "'no-such-group'"),
    ("0:", "''"), ("54321987", "UID:GID"), ("4294967295:1", "4294967294"), ("1:4294967295", "4294967294"),
    ("99999999999999999999", "4294967294"), ("-1", "'-1'"), ("\u0661", "user"), ("a\0b", "user"), ("\udcff", "user"),
    ("0:\udcff", "group"), ("9" * 10000, "no user"), ("0\n", "no user")])
def test_accounts_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        account(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_capabilities_have_names() -> None:
    assert capability_names(0) == ()
    assert capability_names(1 << 39 | 1 << 21) == ("CAP_SYS_ADMIN", "CAP_BPF")
    assert capability_names(1 << 63) == ("capability 63",)


def test_a_tracer_says_what_it_keeps() -> None:
    library: Any = FakeLibrary()
    with Tracer(_native_library=library) as tracer:
        assert tracer.drop_rights(7, 8) == ("CAP_BPF",)
    assert library.native.calls == ["drop 7 8"]
    with pytest.raises(RetransError):
        tracer.drop_rights(7, 8)


@pytest.mark.parametrize("code, kind, word", [
    (1, PermissionDenied, "CAP_SETUID"), (22, UsageError, "user namespace"), (16, RetransError, "other threads"),
    (131, RetransError, "root again"), (12, RetransError, "memory")])
def test_why_rights_were_not_dropped(stub: Callable[..., str], use_library: Callable[[str], None],
                                     code: int, kind: Any, word: str) -> None:
    """The stub takes the group for the error."""
    use_library(stub())
    with Tracer() as tracer:
        assert tracer.drop_rights(1, 1) == ("CAP_BPF",)
        with pytest.raises(kind) as caught:
            tracer.drop_rights(0, code)
    assert type(caught.value) is kind and word in str(caught.value) and "with group %d" % code in str(caught.value)
    assert Tracer.lasting_rights() == ("CAP_BPF",)
