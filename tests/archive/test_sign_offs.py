"""The ledger in the archive: rows are only added, one after the other, and a changed one is named."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DatabaseError

from archive import Archive, ArchiveError
from archive.sign_offs import PastMargins
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import ExportError
from domain.sign_offs import GENESIS
from tests.factories import archives
from tests.factories.archives import MIGRATION, open_archive, set_read_only
from tests.factories.exports import export_to
from tests.factories.processes import run_processes
from tests.factories.sign_offs import make_sign_off
from tests.fakes.metric_source import NOON

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path) as archive:
        yield archive


def names(archive: Archive) -> list[tuple[int, str]]:
    return [(entry.row.sequence, entry.sign_off.name) for entry in archive.sign_offs.read().entries if entry.sign_off]


def problems(archive: Archive) -> list[tuple[int, str | None]]:
    return [(entry.row.sequence, entry.problem) for entry in archive.sign_offs.read().problems]


def tamper(engine: Engine, statement: str) -> None:
    """What an owner of the database can do: drop the triggers, then change a row."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER sign_off_no_update"))
            connection.execute(text("DROP TRIGGER sign_off_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER sign_off_append_only ON sign_off"))
        connection.execute(text(statement))


def test_a_signature_is_stored_with_its_place_and_the_hash_before(archive: Archive) -> None:
    assert archive.sign_offs.read().entries == ()
    rows = [archive.sign_offs.add(make_sign_off(name=name, sequence=7)) for name in ("Mika", "三香")]
    ledger = archive.sign_offs.read()
    assert [entry.row for entry in ledger.entries] == rows and ledger.problems == ()
    first, second = (entry.sign_off for entry in ledger.entries)
    assert first and second
    assert (first.sequence, first.previous_hash, first.migration) == (1, GENESIS, MIGRATION.key)
    assert (second.sequence, second.previous_hash) == (2, rows[0].hash)
    assert second == make_sign_off(name="三香", migration=MIGRATION.key, sequence=2, previous_hash=rows[0].hash)


def test_two_who_sign_at_once_are_stored_one_after_the_other(archive: Archive) -> None:
    barrier = threading.Barrier(4)

    def sign(name: str) -> int:
        barrier.wait(timeout=30)
        return archive.sign_offs.add(make_sign_off(name=name)).sequence

    with ThreadPoolExecutor(4) as threads:
        sequences = list(threads.map(sign, ("Mika", "Taro", "Ayumi", "Ken")))
    assert sorted(sequences) == [1, 2, 3, 4]
    assert sorted(name for _sequence, name in names(archive)) == ["Ayumi", "Ken", "Mika", "Taro"]
    assert problems(archive) == []


def test_processes_that_sign_at_once_are_stored_one_after_the_other(tmp_path: Path) -> None:
    open_archive(tmp_path).close()

    def sign() -> None:
        with open_archive(tmp_path) as archive:
            for _ in range(5):
                archive.sign_offs.add(make_sign_off())

    assert run_processes(sign, sign) == [0, 0]
    with open_archive(tmp_path) as archive:
        assert [sequence for sequence, _name in names(archive)] == list(range(1, 11))
        assert problems(archive) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE sign_off SET body = 'x'", "UPDATE sign_off SET sequence = 9", "DELETE FROM sign_off"]
)
def test_the_database_refuses_to_change_or_remove_a_row(statement: str, archive: Archive) -> None:
    archive.sign_offs.add(make_sign_off())
    refused = pytest.raises(DatabaseError, match="rows of sign_off are neither changed nor removed")
    with refused, archive.engine.begin() as connection:
        connection.execute(text(statement))
    assert names(archive) == [(1, "Mika")]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE sign_off SET body = replace(body, 'Taro', 'Eve!') WHERE sequence = 2", [(2, "changed")]),
        ("UPDATE sign_off SET body = '' WHERE sequence = 2", [(2, "changed")]),
        ("DELETE FROM sign_off WHERE sequence = 2", [(3, "missing")]),
        ("DELETE FROM sign_off WHERE sequence = 1", [(2, "missing")]),
    ],
)
def test_a_changed_row_is_named_also_after_further_signatures(
    statement: str, expected: list[tuple[int, str]], archive: Archive
) -> None:
    for name in ("Mika", "Taro", "Ayumi"):
        archive.sign_offs.add(make_sign_off(name=name))
    tamper(archive.engine, statement)
    assert problems(archive) == expected
    archive.sign_offs.add(make_sign_off(name="Ken"))
    assert names(archive)[-1] == (4, "Ken")
    assert problems(archive) == expected


def test_an_archive_of_before_gets_a_ledger_that_is_only_added_to(tmp_path: Path, both_engines: str) -> None:
    """As version 15 left it."""
    open_archive(tmp_path).close()
    engine = create_engine(archives.archive_url(tmp_path))
    with engine.begin() as connection:
        for statement in ("DROP TABLE sign_off", "DROP TABLE margin_history"):
            connection.execute(text(statement))
        if both_engines == "postgresql":
            connection.execute(text("DROP FUNCTION sign_off_append_only"))
        connection.execute(text("UPDATE meta SET value = '15' WHERE key = 'schema'"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0015'"))
    engine.dispose()
    with open_archive(tmp_path) as archive:
        archive.sign_offs.add(make_sign_off())
        with pytest.raises(DatabaseError, match="neither changed nor removed"), archive.engine.begin() as connection:
            connection.execute(text("DELETE FROM sign_off"))
        assert names(archive) == [(1, "Mika")]


def test_a_migration_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    other = MIGRATION.model_copy(update={"name": "Orders"})
    with open_archive(tmp_path) as archive:
        archive.sign_offs.add(make_sign_off())
        orders = archive.of(other)
        orders.sign_offs.add(make_sign_off(name="Taro"))
        assert (names(archive), names(orders)) == ([(1, "Mika")], [(1, "Taro")])
        assert (problems(archive), problems(orders)) == ([], [])


def test_a_signature_that_cannot_be_written_is_none(archive: Archive) -> None:
    set_read_only(archive)
    with pytest.raises(ArchiveError):
        archive.sign_offs.add(make_sign_off())
    set_read_only(archive, read_only=False)
    assert names(archive) == []


def test_margins_have_a_row_for_as_long_as_they_stay(archive: Archive) -> None:
    first, second = (("error_rate", "0.5 pp"),), (("error_rate", "1 pp"), ("latency_p95", "20 ms"))
    for minute, margins in enumerate((first, first, second, second, first)):
        archive.sign_offs.save_margins(margins, NOON + 60 * minute)
    assert archive.sign_offs.margin_history() == (
        PastMargins(NOON, NOON + 60, first),
        PastMargins(NOON + 120, NOON + 180, second),
        PastMargins(NOON + 240, NOON + 240, first),
    )


@pytest.fixture
def two_archives(tmp_path: Path) -> Iterator[tuple[Archive, Archive]]:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    with open_archive(tmp_path / "here") as here, open_archive(tmp_path / "there") as there:
        yield here, there


def copy(source: Archive, target: Archive, folder: Path) -> None:
    export_to(source.engine.url.render_as_string(hide_password=False), folder)
    import_archive(target.engine, folder, now=NOON)


def test_an_import_continues_the_ledger_and_changes_no_row(
    two_archives: tuple[Archive, Archive], tmp_path: Path
) -> None:
    here, there = two_archives
    here.sign_offs.add(make_sign_off(name="Mika"))
    copy(here, there, tmp_path / "first")
    here.sign_offs.add(make_sign_off(name="Taro"))
    copy(here, there, tmp_path / "second")
    assert there.sign_offs.read() == here.sign_offs.read() and len(names(there)) == 2
    there.sign_offs.add(make_sign_off(name="Ayumi"))
    copy(here, there, tmp_path / "third")  # an older ledger takes nothing away
    assert (names(there)[-1], problems(there)) == ((3, "Ayumi"), [])


def test_a_ledger_that_contradicts_is_refused_before_anything_is_written(
    two_archives: tuple[Archive, Archive], tmp_path: Path
) -> None:
    here, there = two_archives
    here.sign_offs.add(make_sign_off(name="Mika"))
    copy(here, there, tmp_path / "first")
    here.notes.add(NOON, "Sale begins")
    for archive, name in ((here, "Taro"), (there, "Ayumi")):
        archive.sign_offs.add(make_sign_off(name=name))
    with pytest.raises(ExportError) as caught:
        copy(here, there, tmp_path / "second")
    assert (caught.value.kind, caught.value.about) == ("conflict", "2")
    assert (names(there), there.notes.read()) == ([(1, "Mika"), (2, "Ayumi")], ())


def test_a_changed_row_stays_named_after_an_import(two_archives: tuple[Archive, Archive], tmp_path: Path) -> None:
    here, there = two_archives
    here.sign_offs.add(make_sign_off())
    tamper(here.engine, "UPDATE sign_off SET body = replace(body, 'Mika', 'Eve!')")
    copy(here, there, tmp_path / "export")
    assert problems(there) == [(1, "changed")]


def test_an_export_of_version_7_has_no_ledger(two_archives: tuple[Archive, Archive], tmp_path: Path) -> None:
    here, there = two_archives
    here.sign_offs.add(make_sign_off())
    folder = export_to(here.engine.url.render_as_string(hide_password=False), tmp_path / "export")
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [file for file in manifest["files"] if file["name"] not in ("sign_off.parquet", "margin_history.parquet")]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 7, "files": files}))
    import_archive(there.engine, folder, now=NOON)
    assert there.sign_offs.read().entries == ()
