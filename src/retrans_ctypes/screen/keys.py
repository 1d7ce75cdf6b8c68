"""Bytes from a terminal as the names of keys."""

import codecs
from typing import Dict, List

_SEQUENCES: Dict[str, str] = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "[H": "home", "[F": "end",
    "OA": "up", "OB": "down", "OC": "right", "OD": "left", "OH": "home", "OF": "end",
    "[1~": "home", "[4~": "end", "[5~": "page up", "[6~": "page down", "[7~": "home", "[8~": "end",
}
_LETTERS: Dict[str, str] = {
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x15": "kill",
    "\x0c": "redraw",
}


class Keys:
    """Turns what was read into keys: letters as themselves, others by name ("up", "enter", "escape").

    A sequence that is not complete yet waits for the rest; give() with nothing says that none comes,
    so an escape alone was the key of that name. Sequences that nobody knows are no keys.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""

    @property
    def waiting(self) -> bool:
        """Whether a sequence is not complete."""
        return bool(self._begun)

    def give(self, data: bytes) -> List[str]:
        if not data:
            begun, self._begun = self._begun, ""
            return ["escape"] if begun == "\x1b" else []
        found = []
        for letter in self._decoder.decode(data):
            key = self._sequence(letter) if self._begun else self._single(letter)
            if key:
                found.append(key)
        return found

    def _single(self, letter: str) -> str:
        if letter == "\x1b":
            self._begun = letter
            return ""
        return _LETTERS.get(letter, letter if letter.isprintable() else "")

    def _sequence(self, letter: str) -> str:
        if self._begun == "\x1b" and letter not in "[O":
            self._begun = ""
            if letter != "\x1b":
                return ""  # a letter with Alt
            self._begun = letter
            return "escape"
        self._begun += letter
        inside = self._begun[1:]
        if len(inside) > 1 and ("@" <= letter <= "~" or len(inside) > 16):
            self._begun = ""
            return _SEQUENCES.get(inside, "")
        return ""
