"""Exports whose checksums and row counts are consistent with their manifest, but whose content is not: each is refused before the first write."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from sqlite3 import connect

import pytest

from archive import Archive
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import ExportError
from messages.recording import export_error
from tests.factories.archives import MIGRATION
from tests.factories.exports import export_to, fill_archive
from tests.factories.hostile_exports import HOSTILE, Spoil, first_deployment, set_body, sign
from tests.fakes.metric_source import NOON


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An archive's URL, and its export."""
    folder = tmp_path_factory.mktemp("hostile")
    url = f"sqlite:///{folder / 'archive.db'}"
    fill_archive(url)
    return url, export_to(url, folder / "export")


@pytest.fixture(scope="module")
def archive(exported: tuple[str, Path]) -> Iterator[Archive]:
    with Archive.open(exported[0], MIGRATION) as opened:
        yield opened


def content_hash(url: str) -> str:
    with closing(connect(url.removeprefix("sqlite:///"))) as database:
        return sha256("\n".join(database.iterdump()).encode()).hexdigest()


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_export_is_refused_and_nothing_is_written(
    spoil: Spoil, exported: tuple[str, Path], archive: Archive, tmp_path: Path
) -> None:
    url, original = exported
    folder = Path(shutil.copytree(original, tmp_path / "export"))
    before = content_hash(url)
    spoil(folder)
    with pytest.raises(ExportError) as caught:
        import_archive(archive.engine, folder, now=NOON)
    sentence = export_error(caught.value.kind, caught.value.about)
    assert sentence.endswith("nothing was written.")
    assert sentence.isprintable() and len(sentence) < 300
    assert content_hash(url) == before


def test_a_signed_copy_of_an_export_is_imported(exported: tuple[str, Path], archive: Archive, tmp_path: Path) -> None:
    """What is refused above is refused for its content."""
    folder = Path(shutil.copytree(exported[1], tmp_path / "export"))
    sign(folder)
    set_body("deployment_state", first_deployment(ended=NOON + 60, link="https://example.com/"))(folder)
    assert import_archive(archive.engine, folder, now=NOON).points == 1451
    assert len(HOSTILE) >= 60


def test_the_sentence_names_the_file_and_the_column() -> None:
    assert export_error("invalid", "event.parquet: kind") == (
        "The export has content that this program does not write (event.parquet: kind). "
        "Export again from the original archive; nothing was written."
    )
