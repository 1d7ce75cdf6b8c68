"""Bytes of this host as text. Whoever made them may have put anything there."""

MOST = 4096  # bytes that are kept of anything; PATH_MAX


def text_of(raw: bytes) -> str:
    """``raw`` as text. Bytes that are no UTF-8 show as \\xNN, so the text can always be encoded."""
    return raw[:MOST].decode("utf-8", "backslashreplace")
