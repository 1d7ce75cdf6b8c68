"""Text that may hold anything, made safe to show."""

import codecs
import locale


def locale_encoding() -> str:
    """What the locale says that terminals here read: 'ascii' for C and POSIX, mostly 'utf-8'.

    Python itself takes UTF-8 in the locale of C, and there the terminal would show something else.
    """
    try:
        return codecs.lookup(locale.nl_langinfo(locale.CODESET)).name
    except LookupError:
        return "ascii"


_ASCII_ONLY = locale_encoding() == "ascii"


def printable(text: str) -> str:
    """``text`` in one line, with nothing in it that a terminal would obey.

    Control characters, line ends, bidirectional marks, and whatever else has no glyph become \\xNN,
    \\uNNNN or \\UNNNNNNNN; in the locale of C whatever is not ASCII too. Every text output passes its
    lines through this.
    """
    if text.isprintable() and not _ASCII_ONLY:
        return text
    return "".join(letter if letter.isprintable() and (letter < "\x80" or not _ASCII_ONLY) else _code(ord(letter))
                   for letter in text)


def _code(number: int) -> str:
    if number < 0x100:
        return "\\x%02x" % number
    return "\\u%04x" % number if number < 0x10000 else "\\U%08x" % number
