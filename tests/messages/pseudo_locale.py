"""A catalogue with accents on every letter, which shows what is on a page and not in the catalogue."""

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo

from messages.catalogues import extract
from messages.i18n import GETTEXT_DOMAIN

# {name}, {minutes:02d}, plotly's %{y:.3~g}, and a format of dates.
PLACEHOLDER = re.compile(r"(%?\{\{?[^{}]*\}?\}|%-?[a-zA-Z])")
_ACCENTS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "àƀçďéƒĝĥîĵķļɱñôƥǫŕšţûṽŵẋýžÀƁÇĎÉƑĜĤÎĴĶĻṀÑÔƤǪŔŠŢÛṼŴẊÝŽ"
)


def write_pseudo_catalogue(folder: Path, language: str) -> None:
    """A compiled catalogue in which every text has accents on all letters, so that a letter without one is no text of the catalogue."""
    template, catalog = extract(), Catalog(locale=language, domain=GETTEXT_DOMAIN)
    for message in template:
        if message.id:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            text = _accented(ids[-1])
            catalog.add(message.id, (text,) * catalog.num_plurals if len(ids) > 1 else text, context=message.context)
    path = folder / language / "LC_MESSAGES" / f"{GETTEXT_DOMAIN}.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)


def _accented(text: str) -> str:
    """With the placeholders as they are."""
    return "".join(part if is_placeholder else part.translate(_ACCENTS) for is_placeholder, part in _parts(text))


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    for index, part in enumerate(PLACEHOLDER.split(text)):
        yield index % 2 == 1, part
