"""Text that may hold anything, made safe to show."""

import codecs
import locale
import re


def locale_encoding() -> str:
    """What the locale says that terminals here read: 'ascii' for C and POSIX, mostly 'utf-8'.

    Python itself takes UTF-8 in the locale of C, and there the terminal would show something else.
    """
    try:
        return codecs.lookup(locale.nl_langinfo(locale.CODESET)).name
    except LookupError:
        return "ascii"


# Letters that Unicode lets programs show as nothing (Default_Ignorable_Code_Point), though Python calls them
# printable: joiners, fillers, variation selectors.
_SHOWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")

_ASCII_ONLY = locale_encoding() == "ascii"


def printable(text: str) -> str:
    """``text`` in one line, with nothing in it that a terminal would obey.

    Control characters, line ends, bidirectional marks, and whatever else is seen as nothing become \\xNN,
    \\uNNNN or \\UNNNNNNNN; in the locale of C whatever is not ASCII too. Every text output passes its
    lines through this.
    """
    if text.isprintable() and not _ASCII_ONLY and not _SHOWN_AS_NOTHING.search(text):
        return text
    return "".join(letter if _harmless(letter) else _code(ord(letter)) for letter in text)


def _harmless(letter: str) -> bool:
    if letter < "\x80" or _ASCII_ONLY:
        return letter < "\x80" and letter.isprintable()
    return letter.isprintable() and not _SHOWN_AS_NOTHING.match(letter)


def _code(number: int) -> str:
    if number < 0x100:
        return "\\x%02x" % number
    return "\\u%04x" % number if number < 0x10000 else "\\U%08x" % number
