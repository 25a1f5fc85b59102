"""Brings the catalogues of messages/locale/ up to date with the texts of the program: `make messages`.

A text that changed loses its translation: it is printed, and test_catalogues.py fails, until it is translated again.
"""

import ast
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from messages.i18n import ENGLISH, GETTEXT_DOMAIN, LANGUAGES, LOCALE_DIR

ROOT = Path(__file__).parents[1]
# The functions of messages/i18n.py, with the number of texts that they begin with; those of a context have it first.
FUNCTIONS = {"_": 1, "lazy": 1, "ngettext": 2, "plural": 2, "pgettext": 2, "lazy_pgettext": 2}
TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]


def extract() -> Catalog:
    """All texts in the code, each with the modules that it is in. Babel's own extraction would leave out those in f-strings."""
    catalog = Catalog(domain=GETTEXT_DOMAIN)
    for path in sorted((ROOT / "messages").rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        for name, texts in _calls(path):
            context = texts[0] if "pgettext" in name else None
            text = texts[-1] if context or len(texts) == 1 else tuple(texts)
            catalog.add(text, locations=[(module, 0)], context=context)
    return catalog


def _calls(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The calls of FUNCTIONS, in their order in the file."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    for node in sorted(nodes, key=lambda call: (call.lineno, call.col_offset)):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = node.args[: FUNCTIONS.get(name, 0)]
        if texts and (
            path.name != "i18n.py" or isinstance(texts[0], ast.Constant)
        ):  # there the functions call each other
            yield name, [ast.literal_eval(text) for text in texts]


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
    # Not by pybabel, which takes "100% to" for a placeholder.
    compile_stale() if "--compile" in sys.argv else main()
