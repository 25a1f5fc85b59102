"""An archive taken away and brought in elsewhere: the same, once, on either engine, and never from a damaged copy."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from archive import Archive, BatchArchive
from archive.db import schema
from archive.transfer.export import export
from archive.transfer.import_ import bring_in
from archive.transfer.manifest import AS_THEY_ARE, LEFT_OUT, RETOLD, ExportError, read_manifest
from collector.collector import Keeper
from domain.deployments import Standing
from domain.triggers import Starters
from sources.base import Events, Look
from sources.triggers import StartersLook
from tests.archive.access_logs.test_tables import batch, file
from tests.archive.events.test_deployment_state import ROUTE, SERVICE
from tests.archive.events.test_store import TRAFFIC, alert, weights
from tests.archive.events.test_weight_changes import logged
from tests.archive.metrics.test_window_latency import Merging
from tests.collector.test_batches import RULE as STARTER
from tests.fakes.metric_source import ECS, HOURLY, LATENCY, MIGRATION, NOON, World, at, said, span

Open = Callable[[str, str], str]

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def url(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """The address of an archive by an engine and a name; without a PostgreSQL server such a test is skipped."""

    def of(engine: str, name: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        address: str = request.getfixturevalue("server").url_of(tmp_path / name)
        return address

    return of


def fill(address: str) -> None:
    """Half a day of everything that an archive can hold."""
    world = Merging(wanted=(ECS, LATENCY, HOURLY))
    with Archive.open(address, MIGRATION) as archive:
        archive.bring(span(-720, 0), world, now=at(0))
        archive.fill(span(-720, 0), world, now=at(0), only=lambda one: one.hourly)
        archive.ask_whole(span(-60, 0), world, now=at(0))
        archive.keep_events(Events(span(-60, 0), NOON, (alert("a", -10), alert("b", -5, open=True))), "mackerel_events")
        archive.keep_events(Events(span(-60, 0), NOON, changes=(logged(-900, 0.5),)), "cloudtrail", history=True)
        archive.keep_events(
            Events(span(-60, 0), NOON, standing=Standing(NOON, (SERVICE,), (), (("canary", ROUTE),))), "ecs"
        )
        for second, canary in ((-60, 10), (-45, 50), (-30, 50), (0, 10)):
            archive.keep_look(Look(NOON + second, weights(100 - canary, canary)))
        archive.keep_logs([file("a", -5, 65), file("b", 0, 5)], batch(-5, 0, 59, 60, slow=1500))
        archive.keep_logs([file("c", 0, 60)], batch(0, 30))
    with BatchArchive.open(address, MIGRATION) as batches:
        batches.keep_starters(StartersLook(NOON, Starters(NOON, (STARTER,))), "eventbridge")


def take(address: str, folder: Path, now: int = NOON) -> Path:
    with Archive.open(address, MIGRATION) as archive:
        export(archive.engine, MIGRATION, folder, now=now)
    return folder


def bring(folder: Path, address: str, *, now: int = NOON) -> None:
    with Archive.open(address, MIGRATION) as archive:
        bring_in(archive.engine, folder, now=now)


def contents(address: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but those that stay, and the cells that are made of points; names in the place of numbers."""
    series = schema.series
    names = [series.c[name] for name in ("source", "fleet", "target_group", "metric", "stat", "unit")]
    found = {}
    with Archive.open(address, MIGRATION) as archive, archive.engine.connect() as connection:
        for name, table in schema.TABLES.tables.items():
            if name in LEFT_OUT and name != "cell":
                continue
            columns = [column for column in table.columns if column.name not in ("id", "migration_id", "series_id")]
            of_series = "series_id" in table.columns
            rows = select(*columns, *(names if of_series else ())).select_from(
                table.join(series) if of_series else table
            )
            lines = [dict(row._mapping) for row in connection.execute(rows.order_by(*table.primary_key))]
            if name == "log_count":
                lines = [{key: _unpacked(value) for key, value in line.items()} for line in lines]
            found[name] = sorted(lines, key=repr) if of_series else lines
    return found


def _unpacked(value: object) -> object:
    return pq.read_table(BytesIO(bytes(value))).to_pylist() if isinstance(value, bytes | memoryview) else value


@pytest.fixture
def folder(url: Open, tmp_path: Path) -> Path:
    fill(url("sqlite", "one"))
    return take(url("sqlite", "one"), tmp_path / "export")


def test_every_table_is_taken_along_or_stays_for_a_reason() -> None:
    every = (*AS_THEY_ARE, *RETOLD, *LEFT_OUT)
    assert sorted(every) == sorted(schema.TABLES.tables)
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize(
    "engines", [("sqlite", "sqlite"), ("sqlite", "postgresql", "sqlite"), ("postgresql", "postgresql")], ids=" → ".join
)
def test_what_is_brought_in_is_what_was_taken_away_and_twice_changes_nothing(
    engines: tuple[str, ...], url: Open, tmp_path: Path
) -> None:
    first, *others = (url(engine, f"archive {place}") for place, engine in enumerate(engines))
    fill(first)
    before = contents(first)
    assert [name for name, rows in before.items() if not rows] == [], "the round trip is of every table"
    for place, address in enumerate(others):
        folder = take(first, tmp_path / f"export {place}")
        bring(folder, address)
        assert contents(address) == before
        bring(folder, address)
        assert contents(address) == before
        first = address


def test_the_archive_elsewhere_answers_as_this_one_does(folder: Path, url: Open) -> None:
    bring(folder, url("sqlite", "two"))
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        brought = archive.read(span(-720, 0), "cloudwatch", now=at(0))
        hours = archive.read(span(-720, 0), "cloudwatch", now=at(0), only=lambda one: one.hourly)
        assert said(brought, ECS) == {minute: float(minute) for minute in range(-720, 0)}
        assert sorted(said(hours, HOURLY)) == list(range(-720, -60, 60))
        assert (brought.missing, brought.last_asked) == ((), NOON)
        kinds = sorted(event.kind for event in archive.events(span(-720, 1)))
        assert kinds == ["alert", "alert", "weight", "weight", "weight"]
        assert archive.traffic() == (replace(TRAFFIC, asked_at=NOON), NOON)
        assert archive.log_counts(span(0, 60)).num_rows == 4


def test_any_program_can_read_the_numbers(folder: Path) -> None:
    points = pq.read_table(folder / "points.parquet").to_pandas()
    assert list(points.columns) == [
        "ts", "period_s", "value", "source", "fleet", "target_group", "metric", "stat", "unit"
    ]  # fmt: skip
    assert points.groupby("stat", observed=True).size().to_dict() == {"p95": 720, "p95_hourly": 11, "sum": 720}
    counts = pq.read_table(folder / "log_counts.parquet").to_pylist()
    assert [(row["batch"], (row["minute"] - NOON) // 60, row["n"]) for row in counts] == [
        ("a", -5, 1), ("a", 0, 1), ("a", 59, 1), ("c", 0, 1), ("c", 30, 1), ("a", 60, 1)
    ]  # fmt: skip
    manifest = read_manifest(folder)
    assert (manifest.points, manifest.start, manifest.end) == (1451, NOON - 720 * 60, NOON)


def test_what_is_there_stays_and_only_the_new_minutes_are_asked_afterwards(folder: Path, url: Open) -> None:
    world = World(wanted=(ECS, LATENCY, HOURLY), numbers=lambda series, ts, asked_at: -1.0, now=at(0))
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.bring(span(-60, 0), world, now=at(0))
        bring_in(archive.engine, folder, now=NOON)
        found = said(archive.read(span(-720, 0), "cloudwatch", now=at(0)), ECS)
        assert {minute: found[minute] for minute in (-720, -61, -60, -16, -1)} == {
            -720: -720, -61: -61, -60: -1, -16: -1, -1: -1
        }  # fmt: skip
        world.now = at(1)
        world.pulls.clear()
        keeper = Keeper(archive, [world], None, [], horizon_minutes=720, clock=lambda: at(1))
        while keeper.keep_metrics(world) == 0:
            pass
        assert all(window.start >= NOON - 15 * 60 for window, series in world.pulls if ECS in series)


def test_an_older_export_takes_nothing_back_of_what_was_recorded_since(folder: Path, url: Open) -> None:
    world = World(wanted=(ECS, LATENCY, HOURLY), now=at(600))
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.bring(span(-60, 600), world, now=at(600))
        archive.keep_logs([file("b", 0, 5)], batch(3))
    before = contents(url("sqlite", "two"))
    bring(folder, url("sqlite", "two"), now=NOON + 600 * 60)
    after = contents(url("sqlite", "two"))
    assert {line["end_s"] for line in after["coverage"] if line["stat"] == "sum"} == {NOON + 585 * 60}
    assert [line for line in before["point"] if line not in after["point"]] == []
    assert [line["key"] for line in after["log_file"]] == ["b", "c"], (
        "a batch of which a file was counted here stays out"
    )
    assert [len(line["counts"]) for line in after["log_count"]] == [1, 2]


def test_pages_that_look_at_the_archive_draw_anew(folder: Path, url: Open) -> None:
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.bring(span(-60, 0), World(), now=at(0))
        before = archive.revision("cloudwatch")
        bring_in(archive.engine, folder, now=NOON)
        assert archive.revision("cloudwatch") > before


def test_an_export_of_the_first_form_is_read(folder: Path, url: Open) -> None:
    later = ("series", "starter", "log_file", "log_counts", "log_examples")
    for name in later:
        (folder / f"{name}.parquet").unlink()
    told = json.loads((folder / "manifest.json").read_text())
    files = [one for one in told["files"] if one["name"].removesuffix(".parquet") not in later]
    (folder / "manifest.json").write_text(json.dumps(told | {"version": 1, "files": files}))
    bring(folder, url("sqlite", "two"))
    found = contents(url("sqlite", "two"))
    assert found["point"] == contents(url("sqlite", "one"))["point"]
    assert found["log_file"] == []


def damaged(folder: Path) -> None:
    content = bytearray((folder / "points.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "points.parquet").write_bytes(content)


def missing(folder: Path) -> None:
    (folder / "event.parquet").unlink()


def newer(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"version": 3}')


def unnamed(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_text())
    files = [one for one in told["files"] if one["name"] != "points.parquet"]
    (folder / "manifest.json").write_text(json.dumps(told | {"files": files}))


def garbled(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def not_an_export(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "kind", "about"),
    [
        (damaged, "damaged", "points.parquet"),
        (garbled, "damaged", "manifest.json"),
        (missing, "missing", "event.parquet"),
        (unnamed, "missing", "points.parquet"),
        (newer, "newer", "3 > 2"),
        (not_an_export, "not_an_export", "export"),
    ],
)
def test_a_bad_export_is_refused_before_anything_is_written(
    folder: Path, url: Open, spoil: Callable[[Path], None], kind: str, about: str
) -> None:
    spoil(folder)
    with pytest.raises(ExportError) as caught:
        bring(folder, url("sqlite", "two"))
    assert (caught.value.kind, Path(caught.value.about).name) == (kind, about)
    assert {name for name, rows in contents(url("sqlite", "two")).items() if rows} == set()


def test_a_folder_that_holds_something_is_left_alone(folder: Path, url: Open) -> None:
    with pytest.raises(ExportError) as caught:
        take(url("sqlite", "one"), folder)
    assert caught.value.kind == "occupied"
