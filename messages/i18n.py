"""The language we speak: gettext bound to this package's catalogues, English where there is none.

The language is MIGRATION_LANGUAGE ("ja", "en"), else the system's own choice (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). A catalogue is
`messages/locale/<language>/LC_MESSAGES/dashboard.mo`. Only these texts are translated: the process's locale stays as it is, so that numbers and
machine-readable output never change with it.
"""

import gettext as _gettext
import os
from pathlib import Path

GETTEXT_DOMAIN = "dashboard"
LOCALE_DIR = Path(__file__).parent / "locale"


def load_translations(language: str = "", folder: Path = LOCALE_DIR) -> _gettext.NullTranslations:
    """The texts of one language; of the system's, where none is named; English where that has no catalogue."""
    return _gettext.translation(GETTEXT_DOMAIN, folder, [language] if language else None, fallback=True)


_translations = load_translations(os.environ.get("MIGRATION_LANGUAGE", ""))
_ = _translations.gettext
ngettext = _translations.ngettext
