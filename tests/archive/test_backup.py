"""Backups: a copy as of one moment while others write, and its return; complete and checked, or none."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archive import Archive
from archive.backup import SUFFIX, BackupError, back_up, restore
from archive.db.schema import SCHEMA_VERSION
from domain import Window
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import NOON, FakeMetricSource, minute_time, minute_window


def no_progress(_done: int, _total: int) -> None:
    """Nothing."""


def points(url: str) -> int:
    with closing(sqlite3.connect(url)) as connection:
        return int(connection.execute("SELECT count(*) FROM point").fetchone()[0])


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "in use") as opened:
        opened.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        yield opened


def test_a_backup_is_as_of_one_moment_while_others_write(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.backup.COPIED_PAGES", 1)
    before, steps = points(str(archive.engine.url.database)), list[tuple[int, int]]()

    def write_more(done: int, total: int) -> None:
        if not steps:
            archive.metrics.get(minute_window(-600, -60), FakeMetricSource(), now=minute_time(0))
        steps.append((done, total))

    path = tmp_path / "copies" / "backup.db"
    assert back_up(archive.engine, path, on_progress=write_more) == path.stat().st_size
    assert points(str(path)) == before < points(str(archive.engine.url.database))
    done, total = zip(*steps, strict=True)
    assert (len(set(total)), list(done), done[-1]) == (1, sorted(done), total[0])
    assert [file.name for file in path.parent.iterdir()] == ["backup.db"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_restored_archive_has_the_data_and_goes_on(archive: Archive, tmp_path: Path) -> None:
    back_up(archive.engine, tmp_path / "backup.db", on_progress=no_progress)
    tmp_path.joinpath("backup.db").chmod(0o400)
    restored = tmp_path / "elsewhere" / "archive.db"
    restore(tmp_path / "backup.db", f"sqlite:///{restored}", on_progress=no_progress)
    window = Window(NOON - 7200, NOON)
    with Archive.open(f"sqlite:///{restored}", MIGRATION) as again:
        assert again.metrics.read(window, "cloudwatch").frame.equals(archive.metrics.read(window, "cloudwatch").frame)
        again.metrics.get(minute_window(-120, -60), FakeMetricSource(), now=minute_time(0))


def test_nothing_is_replaced(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    path.write_text("mine")
    for attempt in (
        lambda: back_up(archive.engine, path, on_progress=no_progress),
        lambda: restore(Path(str(archive.engine.url.database)), f"sqlite:///{path}", on_progress=no_progress),
    ):
        with pytest.raises(BackupError) as raised:
            attempt()
        assert (raised.value.kind, raised.value.about, path.read_text()) == ("exists", str(path), "mine")


def test_an_interrupted_backup_leaves_no_file_and_can_be_repeated(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "copies" / "backup.db"

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(archive.engine, path, on_progress=interrupt)
    assert list(path.parent.iterdir()) == []
    path.with_name(path.name + SUFFIX).write_text("of a process that was killed")
    back_up(archive.engine, path, on_progress=no_progress)
    assert points(str(path)) > 0


def test_a_backup_that_cannot_be_written_is_reported(archive: Archive, tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    with pytest.raises(BackupError) as raised:
        back_up(archive.engine, tmp_path / "file" / "backup.db", on_progress=no_progress)
    assert raised.value.kind == "not_written"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("", "not_an_archive"),
        ("CREATE TABLE meta (key TEXT, value TEXT)", "not_an_archive"),
        ("CREATE TABLE meta (key TEXT, value TEXT); INSERT INTO meta VALUES ('schema', 'x')", "not_an_archive"),
        (
            f"CREATE TABLE meta (key TEXT, value TEXT); INSERT INTO meta VALUES ('schema', {SCHEMA_VERSION + 1})",
            "newer",
        ),
    ],
    ids=["empty", "no version", "no number", "newer"],
)
def test_what_is_no_backup_of_this_program_is_not_restored(tmp_path: Path, content: str, kind: str) -> None:
    with closing(sqlite3.connect(tmp_path / "backup.db")) as other:
        other.executescript(content)
    with pytest.raises(BackupError) as raised:
        restore(tmp_path / "backup.db", f"sqlite:///{tmp_path / 'archive.db'}", on_progress=no_progress)
    assert (raised.value.kind, tmp_path.joinpath("archive.db").exists()) == (kind, False)


def test_a_missing_backup_and_a_damaged_one_are_not_restored(archive: Archive, tmp_path: Path) -> None:
    path, url = tmp_path / "backup.db", f"sqlite:///{tmp_path / 'archive.db'}"
    with pytest.raises(BackupError, match="not_an_archive"):
        restore(path, url, on_progress=no_progress)
    archive.metrics.get(minute_window(-3_000, -60), FakeMetricSource(), now=minute_time(0))
    back_up(archive.engine, path, on_progress=no_progress)
    content = bytearray(path.read_bytes())
    content[-20_000:-10_000] = b"\xff" * 10_000
    path.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        restore(path, url, on_progress=no_progress)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "in use"]


@pytest.mark.usefixtures("both_engines")
def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        if archive.engine.dialect.name == "sqlite":
            return
        url = archive.engine.url.render_as_string(hide_password=False)
        for attempt in (
            lambda: back_up(archive.engine, tmp_path / "backup.db", on_progress=no_progress),
            lambda: restore(tmp_path / "backup.db", url, on_progress=no_progress),
        ):
            with pytest.raises(BackupError, match="postgresql"):
                attempt()
