"""Loading of translations, and plural forms."""

import struct
from pathlib import Path

from messages.i18n import load_translations, plural


def test_english_is_the_fallback(tmp_path: Path) -> None:
    assert load_translations("tlh", tmp_path).gettext("Sources") == "Sources"


def test_translations_of_a_language(tmp_path: Path) -> None:
    folder = tmp_path / "ja" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "dashboard.mo").write_bytes(
        _compile_mo({"": "Content-Type: text/plain; charset=UTF-8\n", "Sources": "情報源"})
    )
    assert load_translations("ja", tmp_path).gettext("Sources") == "情報源"
    assert load_translations("ja", tmp_path).gettext("Traffic") == "Traffic"


def test_plural_formats_the_number() -> None:
    assert plural("{n} file", "{n} files", 1) == "1 file"
    assert plural("{n} file of {total}", "{n} files of {total}", 8412, total="9,000") == "8,412 files of 9,000"


def _compile_mo(texts: dict[str, str]) -> bytes:
    """GNU gettext's .mo: a header of seven numbers, two tables of (length, offset), and the texts."""
    pairs = sorted((key.encode(), value.encode()) for key, value in texts.items())
    offset = 28 + 16 * len(pairs)
    tables, body = [b"", b""], b""
    for table in (0, 1):
        for pair in pairs:
            tables[table] += struct.pack("<2I", len(pair[table]), offset + len(body))
            body += pair[table] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0) + tables[0] + tables[1] + body
