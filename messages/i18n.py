"""Translations by gettext, in the language of the reader: a visitor of the pages, or the user of the command line.

The pages choose it at the start of each run (`use_language`). The default is that of the process: MIGRATION_LANGUAGE ("ja", "en"), else the
system's (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). A new thread starts with the default, so threads that collect keep values, not texts.
Catalogues are `messages/locale/<language>/LC_MESSAGES/dashboard.po`, which `make` compiles; MIGRATION_LOCALE_DIR names other ones. The process's
locale is not changed.
"""

import gettext as _gettext
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from messages import numbers

GETTEXT_DOMAIN = "dashboard"
LOCALE_DIR = Path(os.environ.get("MIGRATION_LOCALE_DIR") or Path(__file__).parent / "locale")
ENGLISH = "en"
# What each language calls itself, by its BCP 47 tag.
LANGUAGES = {ENGLISH: "English", "ja": "日本語"}
_VARIABLES = ("MIGRATION_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")

logger = logging.getLogger(__name__)


def supported_language(locale: str) -> str:
    """The language of a locale ("ja", "ja-JP", "ja_JP.UTF-8"); "" if there is no translation."""
    language = re.split(r"[-_.@]", locale, maxsplit=1)[0].lower()
    return language if language in LANGUAGES else ""


def environment_language(environ: Mapping[str, str]) -> str:
    """The language of the first variable that is set; English if there is no translation."""
    value = next(filter(None, map(environ.get, _VARIABLES)), "")
    return next(filter(None, map(supported_language, value.split(":"))), ENGLISH)


@cache
def load_translations(language: str, folder: Path = LOCALE_DIR) -> _gettext.NullTranslations:
    """English, with a warning, if the catalogue of another language was not compiled."""
    try:
        return _gettext.translation(GETTEXT_DOMAIN, folder, [language])
    except OSError:
        if language != ENGLISH:
            logger.warning("The texts are English: the catalogue of %s is not compiled. Run `make messages`.", language)
        return _gettext.NullTranslations()


_default = environment_language(os.environ)
_of_reader: ContextVar[str] = ContextVar("language", default=_default)


def current_language() -> str:
    """The reader's language, as HTML's `lang` has it."""
    return _of_reader.get()


def use_language(language: str) -> None:
    """For the rest of this thread or context."""
    _of_reader.set(language)


@contextmanager
def in_language(language: str | None) -> Iterator[None]:
    """For the block; None: unchanged."""
    token = _of_reader.set(language or _of_reader.get())
    try:
        yield
    finally:
        _of_reader.reset(token)


def _(message: str) -> str:
    """The translation for the current reader."""
    return load_translations(_of_reader.get()).gettext(message)


def pgettext(context: str, message: str) -> str:
    """The translation of a word that means two things in English; `context` says which."""
    return load_translations(_of_reader.get()).pgettext(context, message)


def ngettext(singular: str, plural_form: str, n: int) -> str:
    return load_translations(_of_reader.get()).ngettext(singular, plural_form, n)


def plural(singular: str, plural_form: str, n: int, **values: object) -> str:
    """The form for `n`, with the formatted number as {n} and the other values."""
    return ngettext(singular, plural_form, n).format(n=numbers.count(n), **values)


def comma_list(items: Iterable[object]) -> str:
    """ "EC2, ECS"."""
    return _(", ").join(map(str, items))


def full_stop(text: str) -> str:
    """The text as a sentence, with a full stop."""
    return _("{text}.").format(text=text)


class LazyText:
    """A text of a module's level, translated whenever it is shown: by str(), in an f-string, or as a value of a template.

    It is deliberately no str: mypy finds each place that needs one, and whatever a type checker does not see (JSON, protobuf, str.join) raises
    TypeError instead of staying English.
    """

    __slots__ = ("context", "message")

    def __init__(self, message: str, context: str = "") -> None:
        self.message, self.context = message, context

    def __str__(self) -> str:
        return pgettext(self.context, self.message) if self.context else _(self.message)

    def __repr__(self) -> str:
        return f"LazyText({self.message!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def lazy(message: str) -> LazyText:
    return LazyText(message)


def lazy_pgettext(context: str, message: str) -> LazyText:
    return LazyText(message, context)
