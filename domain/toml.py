"""Strings as TOML writes them."""


def quote(text: str) -> str:
    """`text` as a basic string, on one line; what is not printable is escaped. A lone surrogate, which TOML cannot have, becomes U+FFFD."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(map(_escape, escaped)) + '"'


def _escape(char: str) -> str:
    if char.isprintable():
        return char
    return "\\uFFFD" if "\ud800" <= char <= "\udfff" else f"\\U{ord(char):08X}"
