"""Translations by gettext, with English as the fallback.

The language is MIGRATION_LANGUAGE ("ja", "en"), else the system's (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). Catalogues are
`messages/locale/<language>/LC_MESSAGES/dashboard.mo`. The process's locale is not changed: numbers and machine-readable output do not depend on it.
"""

import gettext as _gettext
import os
from pathlib import Path

from messages import numbers

GETTEXT_DOMAIN = "dashboard"
LOCALE_DIR = Path(__file__).parent / "locale"


def load_translations(language: str = "", folder: Path = LOCALE_DIR) -> _gettext.NullTranslations:
    """The translations for a language ("": the system's), English if there are none."""
    return _gettext.translation(GETTEXT_DOMAIN, folder, [language] if language else None, fallback=True)


_translations = load_translations(os.environ.get("MIGRATION_LANGUAGE", ""))
_ = _translations.gettext
ngettext = _translations.ngettext


def plural(singular: str, plural_form: str, n: int, **values: object) -> str:
    """The form for `n`, with the formatted number as {n} and the other values."""
    return ngettext(singular, plural_form, n).format(n=numbers.count(n), **values)
