"""The width of text in the pages' sans serif, estimated without a browser: East Asian characters are twice as wide."""

import unicodedata
from itertools import accumulate

_NARROW = frozenset("iIjl.,:;'|!()[] ·…")
_WIDE = frozenset("mwMW@%—")


def text_width_px(text: str, size_px: float) -> float:
    """Rather too wide than too narrow."""
    return size_px * sum(map(_width_em, text))


def truncate(text: str, max_px: float, size_px: float) -> str:
    """As much of the text as fits into `max_px`, with an ellipsis if some does not."""
    if text_width_px(text, size_px) <= max_px:
        return text
    widths = accumulate(map(_width_em, text), initial=_width_em("…"))
    fitting = sum(1 for width in widths if width * size_px <= max_px) - 1
    return f"{text[: max(fitting, 1)].rstrip()}…"


def _width_em(char: str) -> float:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.0
    if char in _NARROW:
        return 0.3
    if char in _WIDE:
        return 0.9
    return 0.66 if char.isupper() or not char.isascii() else 0.54
