"""Brings the catalogues of messages/locale/ up to date with the texts of the program: `make messages`.

A text that changed loses its translation: it is printed, and test_catalogues.py fails, until it is translated again.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from messages.i18n import ENGLISH, GETTEXT_DOMAIN, LANGUAGES, LOCALE_DIR

ROOT = Path(__file__).parents[2]
# The functions of messages/i18n.py, with the positions of their texts ("c": of the context).
KEYWORDS = {
    "_": None,
    "lazy": None,
    "ngettext": (1, 2),
    "plural": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
}
TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]


def extract() -> Catalog:
    """All texts in the code, each with the modules that it is in."""
    catalog = Catalog(domain=GETTEXT_DOMAIN)
    for path in sorted((ROOT / "messages").rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        for _line, text, comments, context in extract_from_file(
            "python", path, KEYWORDS, ["i18n:"], strip_comment_tags=True
        ):
            catalog.add(text, locations=[(module, 0)], auto_comments=comments, context=context)
    return catalog


def po_file(language: str) -> Path:
    return LOCALE_DIR / language / "LC_MESSAGES" / f"{GETTEXT_DOMAIN}.po"


def read(language: str) -> Catalog:
    if not po_file(language).exists():
        return Catalog(locale=language, domain=GETTEXT_DOMAIN)
    with po_file(language).open("rb") as file:
        return read_po(file, locale=language, domain=GETTEXT_DOMAIN)


def untranslated(catalog: Catalog) -> Iterator[Message]:
    for message in catalog:
        texts = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
        if message.id and not all(texts):
            yield message


def compile_catalogue(language: str) -> None:
    with po_file(language).with_suffix(".mo").open("wb") as file:
        write_mo(file, read(language))


def compile_stale() -> None:
    """Compiles the catalogues that are newer than what was compiled, as the Makefile does."""
    for language in TRANSLATED:
        po, mo = po_file(language), po_file(language).with_suffix(".mo")
        if po.exists() and (not mo.exists() or mo.stat().st_mtime_ns < po.stat().st_mtime_ns):
            compile_catalogue(language)


def _po_text(catalog: Catalog) -> bytes:
    """Without the header's dates and names, which would differ in every commit."""
    catalog.fuzzy = False
    catalog.header_comment = f"# {LANGUAGES[str(catalog.locale)]}. Write with `make messages`."
    with BytesIO() as file:
        write_po(file, catalog, width=0, include_lineno=False)
        lines = file.getvalue().splitlines(keepends=True)
    dropped = (
        b"Project-Id",
        b"Report-Msgid",
        b"POT-Creation",
        b"PO-Revision",
        b"Last-Trans",
        b"Language-Team",
        b"Generated-By",
    )
    return b"".join(line for line in lines if not line.startswith(tuple(b'"' + name for name in dropped)))


def main() -> None:
    template = extract()
    for language in TRANSLATED:
        catalog = read(language)
        catalog.update(template, no_fuzzy_matching=True, update_header_comment=False)
        catalog.obsolete.clear()
        po_file(language).parent.mkdir(parents=True, exist_ok=True)
        po_file(language).write_bytes(_po_text(catalog))
        compile_catalogue(language)
        missing = list(untranslated(catalog))
        print(f"{language}: {len(catalog)} texts, {len(missing)} not translated")
        for message in missing:
            print(f"  {message.id}")


if __name__ == "__main__":
    main()
