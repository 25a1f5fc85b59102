"""Control characters in external text, which would steer a terminal: removed from what commands print, escaped in logs."""

import json
import unicodedata

_CATEGORIES = ("Cc", "Cf", "Cs")  # of Unicode: control and invisible characters, surrogates


def remove_control(text: str) -> str:
    """The text without control characters, but for line breaks and tabs."""
    return text if text.isprintable() else "".join(char for char in text if not _is_control(char))


def escape_control(text: str) -> str:
    """The text with control characters, but for line breaks and tabs, as in JSON: "\\u001b"."""
    return text if text.isprintable() else "".join(json.dumps(c)[1:-1] if _is_control(c) else c for c in text)


def _is_control(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in _CATEGORIES
