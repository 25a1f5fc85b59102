"""The language: a catalogue where there is one, English where there is none."""

import struct
from pathlib import Path

from messages.i18n import load_translations


def test_without_a_catalogue_english_is_spoken(tmp_path: Path) -> None:
    assert load_translations("tlh", tmp_path).gettext("Sources") == "Sources"


def test_a_catalogue_is_found_by_its_language(tmp_path: Path) -> None:
    place = tmp_path / "ja" / "LC_MESSAGES"
    place.mkdir(parents=True)
    (place / "dashboard.mo").write_bytes(
        _compile_mo({"": "Content-Type: text/plain; charset=UTF-8\n", "Sources": "情報源"})
    )
    assert load_translations("ja", tmp_path).gettext("Sources") == "情報源"
    assert load_translations("ja", tmp_path).gettext("Traffic") == "Traffic"


def _compile_mo(texts: dict[str, str]) -> bytes:
    """GNU gettext's .mo: a header of seven numbers, two tables of (length, place), and the texts themselves."""
    pairs = sorted((key.encode(), value.encode()) for key, value in texts.items())
    places = 28 + 16 * len(pairs)
    tables, body = [b"", b""], b""
    for which in (0, 1):
        for pair in pairs:
            tables[which] += struct.pack("<2I", len(pair[which]), places + len(body))
            body += pair[which] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0) + tables[0] + tables[1] + body
