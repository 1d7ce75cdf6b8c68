"""Text that may hold anything, made safe to show."""


def printable(text: str) -> str:
    """``text`` in one line, with nothing in it that a terminal would obey.

    Control characters, line ends, bidirectional marks, and whatever else has no glyph become \\xNN,
    \\uNNNN or \\UNNNNNNNN. Every text output passes its lines through this.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _code(ord(letter)) for letter in text)


def _code(number: int) -> str:
    if number < 0x100:
        return "\\x%02x" % number
    return "\\u%04x" % number if number < 0x10000 else "\\U%08x" % number
