"""The language of a reader, plural forms, and texts of a module's level."""

import logging
from pathlib import Path
from threading import Thread

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo

from messages import i18n
from messages.i18n import (
    LazyText,
    current_language,
    environment_language,
    in_language,
    lazy,
    load_translations,
    plural,
    supported_language,
    use_language,
)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja", "ja"), ("ja-JP", "ja"), ("JA_jp.UTF-8", "ja"), ("en-GB", "en"), ("de", ""), ("", ""), ("C.UTF-8", ""), ("<b>" * 9999, "")],
)  # fmt: skip
def test_the_language_of_a_locale(locale: str, language: str) -> None:
    assert supported_language(locale) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANGUAGE": "de:ja:en", "LANG": "en_US.UTF-8"}, "ja"),
        ({"MIGRATION_LANGUAGE": "en", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"MIGRATION_LANGUAGE": "", "LANG": "ja_JP.UTF-8"}, "ja"),
    ],
)
def test_the_language_of_the_environment(environment: dict[str, str], language: str) -> None:
    assert environment_language(environment) == language


def test_a_catalogue_that_is_not_compiled_is_english_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert load_translations("ja", tmp_path).gettext("Sources") == "Sources"
        assert load_translations("en", tmp_path).gettext("Sources") == "Sources"
    assert [record.getMessage() for record in caplog.records] == [
        "The texts are English: the catalogue of ja is not compiled. Run `make messages`."
    ]


@pytest.fixture
def japanese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(locale="ja", domain=i18n.GETTEXT_DOMAIN)
    catalog.add("Sources", "データソース")
    catalog.add(("{n} file", "{n} files"), ("{n}個のファイル",))
    folder = tmp_path / "ja" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / f"{i18n.GETTEXT_DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalog)
    translations = load_translations("ja", tmp_path)
    monkeypatch.setattr(
        i18n, "load_translations", lambda language: translations if language == "ja" else load_translations(language)
    )


@pytest.mark.usefixtures("japanese")
def test_the_reader_has_a_language_and_new_threads_have_the_default() -> None:
    text, seen = lazy("Sources"), []

    def read(language: str) -> None:
        if language:
            use_language(language)
        seen.append((current_language(), str(text), f"{text:>8}", plural("{n} file", "{n} files", 8412)))

    with in_language("ja"):
        for language in ("", "ja", "en"):
            thread = Thread(target=read, args=(language,))
            thread.start()
            thread.join()
        read("")
    english, japanese = (
        ("en", "Sources", " Sources", "8,412 files"),
        ("ja", "データソース", "  データソース", "8,412個のファイル"),
    )
    assert seen == [english, japanese, english, japanese]
    assert str(text) == "Sources"


def test_a_lazy_text_is_no_string() -> None:
    text: object = LazyText("Sources")
    with pytest.raises(TypeError):
        ", ".join([text])  # type: ignore[list-item]


def test_plural_formats_the_number() -> None:
    assert plural("{n} file", "{n} files", 1) == "1 file"
    assert plural("{n} file of {total}", "{n} files of {total}", 8412, total="9,000") == "8,412 files of 9,000"
