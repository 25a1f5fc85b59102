"""The rows of the board: read one by one, the oldest first, while the board is open; one failure does not stop the others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive import Archive
from services.board import REFRESH_S, Board, BoardRow, read_row
from tests.factories.archived_migration import NOW, archived_migration, make_migration

START = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Readers:
    """Two migrations, of which "broken" raises, at a time that the test sets."""

    def __init__(self) -> None:
        self.now, self.read = START, list[str]()
        readers = {"broken": self.raise_error, "photo": self.photo}
        self.board = Board(readers, lambda _slug, now: BoardRow(now), clock=lambda: self.now)

    def photo(self, now: datetime) -> BoardRow:
        self.read.append("photo")
        return BoardRow(now)

    def raise_error(self, _now: datetime) -> BoardRow:
        self.read.append("broken")
        raise KeyError("bug")


def test_the_row_that_was_read_longest_ago_is_next() -> None:
    readers = Readers()
    for _row in range(2):
        readers.board.read_next()
        readers.now += timedelta(seconds=1)
    assert readers.read == ["broken", "photo"]
    assert readers.board.read_next() == pytest.approx(REFRESH_S - 2)
    readers.now += timedelta(seconds=REFRESH_S - 2)
    readers.board.read_next()
    assert readers.read == ["broken", "photo", "broken"]
    readers.board.stop()


def test_rows_are_read_while_the_board_is_open_and_no_longer() -> None:
    readers = Readers()
    readers.board.rows()
    readers.board.stop()  # waits for the row that is being read
    read = list(readers.read)
    readers.board.rows()
    assert readers.read == read


def test_a_row_has_the_decision_the_shares_and_the_end_of_the_data(tmp_path: Path) -> None:
    migration = make_migration()
    with archived_migration(tmp_path, migration) as archive:
        row = read_row(archive, migration, "mackerel", now=NOW)
    assert row.problem is None and row.evaluation and row.traffic
    assert row.evaluation.name == "Photo service"
    assert row.evaluation.phase and row.evaluation.phase.outcome == "running"
    assert row.evaluation.data_until


def test_an_archive_that_cannot_be_read_is_a_row(tmp_path: Path) -> None:
    migration = make_migration()
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", migration) as archive:
        (tmp_path / "archive.db").unlink()
        row = read_row(archive, migration, "mackerel", now=NOW)
    assert row.evaluation is None
    assert row.problem and row.problem.kind == "replaced"


def test_two_migrations_of_one_archive_have_rows_of_their_own(tmp_path: Path) -> None:
    photo, orders = make_migration(), make_migration(name="Orders")
    with archived_migration(tmp_path, photo) as archive:
        rows = [
            read_row(item, item_migration, "mackerel", now=NOW)
            for item, item_migration in ((archive, photo), (archive.of(orders), orders))
        ]
    assert rows[0].evaluation and rows[0].evaluation.data_until
    assert rows[1].evaluation and rows[1].evaluation.data_until is None
