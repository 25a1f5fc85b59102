"""Translations by gettext, in the language of the reader: a visitor of the pages, or whoever started the command line.

The pages choose it at the start of each run (`use_language`); the default is that of the process: MIGRATION_LANGUAGE ("ja", "en"), else the
system's (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). Every thread of its own starts with the default, so threads that collect keep values, not texts.
Catalogues are `messages/locale/<language>/LC_MESSAGES/dashboard.mo`, which `make messages` compiles. The process's locale is not changed.
"""

import gettext as _gettext
import os
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from messages import numbers

GETTEXT_DOMAIN = "dashboard"
LOCALE_DIR = Path(__file__).parent / "locale"


@cache
def load_translations(language: str = "", folder: Path = LOCALE_DIR) -> _gettext.NullTranslations:
    """The translations for a language ("": the system's), English if there are none."""
    return _gettext.translation(GETTEXT_DOMAIN, folder, [language] if language else None, fallback=True)


_default = load_translations(os.environ.get("MIGRATION_LANGUAGE", ""))
_of_reader: ContextVar[_gettext.NullTranslations | None] = ContextVar("translations", default=None)


def _translations() -> _gettext.NullTranslations:
    return _of_reader.get() or _default


def _(message: str) -> str:
    """The translation for the current reader."""
    return _translations().gettext(message)


def ngettext(singular: str, plural_form: str, n: int) -> str:
    return _translations().ngettext(singular, plural_form, n)


def plural(singular: str, plural_form: str, n: int, **values: object) -> str:
    """The form for `n`, with the formatted number as {n} and the other values."""
    return ngettext(singular, plural_form, n).format(n=numbers.count(n), **values)


class LazyText:
    """A text of a module's level, translated whenever it is shown: by str(), in an f-string, or as a value of a template.

    It is deliberately no str: mypy finds each place that needs one, and whatever a type checker does not see (JSON, protobuf, str.join) raises
    TypeError instead of staying English.
    """

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        return _(self.message)

    def __repr__(self) -> str:
        return f"LazyText({self.message!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


lazy = LazyText
Text = LazyText | str
