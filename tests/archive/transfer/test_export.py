"""Export and import: complete and idempotent on both engines; a damaged export is rejected."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from archive import Archive
from archive.db import schema
from archive.metrics import rows
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import (
    CONVERTED_TABLES,
    COPIED_TABLES,
    EXCLUDED_TABLES,
    FORMAT_VERSION,
    ExportError,
    read_manifest,
)
from collector.collector import Collector, CollectorConfig
from domain import Series
from sources.base import TrafficSnapshot
from sources.registry import Sources
from tests.factories.archives import MIGRATION
from tests.factories.counted_files import counted_file, log_counts
from tests.factories.events import TRAFFIC, weighted_traffic
from tests.factories.events import TRIGGER as TRIGGER
from tests.factories.exports import export_to, fill_archive
from tests.fakes.metric_source import (
    ECS,
    HOURLY,
    LATENCY,
    NOON,
    FakeMetricSource,
    minute_time,
    minute_window,
    values_by_minute,
)

SAMPLES = Path("tests/samples/archive")
UrlFactory = Callable[[str, str], str]

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def url(tmp_path: Path, request: pytest.FixtureRequest) -> UrlFactory:
    """The URL of an archive by engine and name."""

    def archive_url(engine: str, name: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        url: str = request.getfixturevalue("postgres_server").schema_url(tmp_path / name)
        return url

    return archive_url


def import_from(folder: Path, url: str, *, now: int = NOON) -> None:
    with Archive.open(url, MIGRATION) as archive:
        import_archive(archive.engine, folder, now=now)


def table_rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every exported table, and of the rollup, with labels in place of ids."""
    series = schema.series
    labels = [series.c[name] for name in ("source", "fleet", "target_group", "metric", "stat", "unit")]
    by_table = {}
    with Archive.open(url, MIGRATION) as archive, archive.engine.connect() as connection:
        for name, table in schema.METADATA.tables.items():
            if name in EXCLUDED_TABLES and name != "rollup_10m":
                continue
            columns = [column for column in table.columns if column.name not in ("id", "migration_id", "series_id")]
            of_series = "series_id" in table.columns
            rows = select(*columns, *(labels if of_series else ())).select_from(
                table.join(series) if of_series else table
            )
            records = [dict(row._mapping) for row in connection.execute(rows.order_by(*table.primary_key))]
            if name == "log_count":
                records = [{key: _decode(value) for key, value in record.items()} for record in records]
            by_table[name] = sorted(records, key=repr) if of_series else records
    return by_table


def _decode(value: object) -> object:
    return pq.read_table(BytesIO(bytes(value))).to_pylist() if isinstance(value, bytes | memoryview) else value


@pytest.fixture
def folder(url: UrlFactory, tmp_path: Path) -> Path:
    fill_archive(url("sqlite", "one"))
    return export_to(url("sqlite", "one"), tmp_path / "export")


def test_every_table_is_exported_or_excluded_for_a_reason() -> None:
    tables = (*COPIED_TABLES, *CONVERTED_TABLES, *EXCLUDED_TABLES)
    assert sorted(tables) == sorted(schema.METADATA.tables)
    assert all(EXCLUDED_TABLES.values())


@pytest.mark.parametrize(
    "engines", [("sqlite", "sqlite"), ("sqlite", "postgresql", "sqlite"), ("postgresql", "postgresql")], ids=" → ".join
)
def test_an_import_equals_the_export_and_repeating_it_changes_nothing(
    engines: tuple[str, ...], url: UrlFactory, tmp_path: Path
) -> None:
    first, *others = (url(engine, f"archive {number}") for number, engine in enumerate(engines))
    fill_archive(first)
    before = table_rows(first)
    assert [name for name, rows in before.items() if not rows] == [], "every table has rows"
    for number, other in enumerate(others):
        folder = export_to(first, tmp_path / f"export {number}")
        import_from(folder, other)
        assert table_rows(other) == before
        import_from(folder, other)
        assert table_rows(other) == before
        first = other


def test_an_imported_archive_returns_the_same(folder: Path, url: UrlFactory) -> None:
    import_from(folder, url("sqlite", "two"))
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        result = archive.metrics.read(minute_window(-720, 0), "cloudwatch", now=minute_time(0))
        hours = archive.metrics.read(
            minute_window(-720, 0), "cloudwatch", now=minute_time(0), series_filter=lambda series: series.hourly
        )
        assert values_by_minute(result, ECS) == {minute: float(minute) for minute in range(-720, 0)}
        assert sorted(values_by_minute(hours, HOURLY)) == list(range(-720, -60, 60))
        assert (result.missing, result.last_asked_at) == ((), NOON)
        kinds = sorted(event.kind for event in archive.events.read(minute_window(-720, 1)))
        assert kinds == ["alert", "alert", "weight", "weight", "weight"]
        assert archive.events.latest_traffic() == (replace(TRAFFIC, asked_at=NOON), NOON)
        assert archive.access_logs.counts(minute_window(0, 60)).num_rows == 4


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_series_is_imported_in_slices_with_the_same_result(
    engine: str, folder: Path, url: UrlFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A series may have millions of points. Provisional minutes that were stored earlier are replaced in every slice."""
    sizes = list[int]()

    def rows_from_frame(frame: pd.DataFrame) -> tuple[tuple[Series, ...], rows.Rows]:
        sizes.append(len(frame))
        return original(frame)

    original = rows.rows_from_frame
    source = FakeMetricSource(
        configured_series=(ECS, LATENCY, HOURLY), value_at=lambda series, ts, asked_at: -1.0, now=minute_time(-1)
    )
    with Archive.open(url(engine, "two"), MIGRATION) as archive:
        archive.metrics.get(minute_window(-10, -1), source, now=minute_time(-1))
    monkeypatch.setattr(rows, "rows_from_frame", rows_from_frame)
    monkeypatch.setattr("archive.transfer.import_.SLICE_ROWS", 7)
    for _ in range(2):
        import_from(folder, url(engine, "two"))
        imported, exported = table_rows(url(engine, "two")), table_rows(url("sqlite", "one"))
        for name in ("series", "point", "rollup_10m", "coverage"):
            assert imported[name] == exported[name]
    assert max(sizes) < 20


def test_the_files_have_labels_instead_of_ids(folder: Path) -> None:
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


def test_existing_points_stay_and_only_new_minutes_are_fetched_afterwards(folder: Path, url: UrlFactory) -> None:
    source = FakeMetricSource(
        configured_series=(ECS, LATENCY, HOURLY), value_at=lambda series, ts, asked_at: -1.0, now=minute_time(0)
    )
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=minute_time(0))
        import_archive(archive.engine, folder, now=NOON)
        values = values_by_minute(archive.metrics.read(minute_window(-720, 0), "cloudwatch", now=minute_time(0)), ECS)
        assert {minute: values[minute] for minute in (-720, -61, -60, -16, -1)} == {
            -720: -720, -61: -61, -60: -1, -16: -1, -1: -1
        }  # fmt: skip
        source.now = minute_time(1)
        source.pulls.clear()
        collector = Collector(
            archive, Sources((source,)), CollectorConfig(horizon_minutes=720), clock=lambda: minute_time(1)
        )
        while collector.poll_metrics(source) == 0:
            pass
        assert all(window.start >= NOON - 15 * 60 for window, series in source.pulls if ECS in series)


def test_an_older_export_does_not_replace_newer_data(folder: Path, url: UrlFactory) -> None:
    source = FakeMetricSource(configured_series=(ECS, LATENCY, HOURLY), now=minute_time(600))
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.metrics.get(minute_window(-60, 600), source, now=minute_time(600))
        archive.access_logs.save_counts([counted_file("b", 0, 5)], log_counts(3))
    before = table_rows(url("sqlite", "two"))
    import_from(folder, url("sqlite", "two"), now=NOON + 600 * 60)
    after = table_rows(url("sqlite", "two"))
    assert {row["end_s"] for row in after["coverage"] if row["stat"] == "sum"} == {NOON + 585 * 60}
    assert [row for row in before["point"] if row not in after["point"]] == []
    assert [row["key"] for row in after["log_file"]] == ["b", "c"], (
        "a batch is not imported if one of its files was counted here"
    )
    assert [len(row["counts"]) for row in after["log_count"]] == [1, 2]


def test_removals_are_exported_and_an_import_does_not_bring_back_what_was_removed(
    tmp_path: Path, url: UrlFactory
) -> None:
    here, elsewhere = url("sqlite", "here"), url("sqlite", "elsewhere")
    with Archive.open(here, MIGRATION) as archive:
        note, step = archive.notes.add(NOON, "Sale begins"), archive.steps.add(NOON, 0.25)
        before = export_to(here, tmp_path / "before")
        archive.notes.remove(note.key, "Mika")
        archive.steps.remove(step.key, "Mika")
        removals = (archive.notes.removals(), archive.steps.removals())
    after = export_to(here, tmp_path / "after")
    import_from(before, here)
    import_from(after, elsewhere)
    for archive_url in (here, elsewhere):
        with Archive.open(archive_url, MIGRATION) as archive:
            assert (archive.notes.removals(), archive.steps.removals()) == removals
            assert (archive.notes.read(), archive.steps.read()) == ((), ())


def test_a_note_on_an_incident_is_exported(tmp_path: Path, url: UrlFactory) -> None:
    here, elsewhere = url("sqlite", "here"), url("sqlite", "elsewhere")
    with Archive.open(here, MIGRATION) as archive:
        note = archive.notes.add(NOON, "A broken release", incident="2026-11-10T15:19Z")
    import_from(export_to(here, tmp_path / "export"), elsewhere)
    with Archive.open(elsewhere, MIGRATION) as archive:
        assert archive.notes.read() == (note,)


def test_an_import_extends_the_time_of_a_snapshot(folder: Path, url: UrlFactory) -> None:
    """The export saw the weights of NOON until NOON; this archive saw the ones before only once."""
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.events.save_snapshot(TrafficSnapshot(NOON - 45, weighted_traffic(50, 50)))
    import_from(folder, url("sqlite", "two"))
    rows = table_rows(url("sqlite", "two"))["traffic_snapshot"]
    assert [(row["first_seen"] - NOON, row["last_seen"] - NOON) for row in rows] == [(-60, -60), (-45, -30), (0, 0)]


def test_an_import_changes_the_counter(folder: Path, url: UrlFactory) -> None:
    with Archive.open(url("sqlite", "two"), MIGRATION) as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        before = archive.change_counter("cloudwatch")
        import_archive(archive.engine, folder, now=NOON)
        assert archive.change_counter("cloudwatch") > before


def test_an_export_of_the_last_version_is_imported(url: UrlFactory) -> None:
    """Written by commit c480205, with the old names of tables, columns and JSON keys, from the archive in version_8.sql."""
    import_from(SAMPLES / "export_version_2", url("sqlite", "two"))
    with closing(sqlite3.connect(url("sqlite", "one").removeprefix("sqlite:///"))) as file:
        file.executescript((SAMPLES / "version_8.sql").read_text())
    imported, migrated = table_rows(url("sqlite", "two")), table_rows(url("sqlite", "one"))
    later = ["deployment", "observation", "decision", "sign_off", "margin_history"]
    assert [name for name, rows in imported.items() if not rows] == later
    assert imported == migrated


def test_an_export_of_the_first_version_is_imported(tmp_path: Path, url: UrlFactory) -> None:
    folder = Path(shutil.copytree(SAMPLES / "export_version_2", tmp_path / "export_version_1"))
    later = ("series", "starter", "log_file", "log_counts", "log_examples")
    for name in later:
        (folder / f"{name}.parquet").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [file for file in manifest["files"] if file["name"].removesuffix(".parquet") not in later]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 1, "files": files}))
    import_from(folder, url("sqlite", "two"))
    import_from(SAMPLES / "export_version_2", url("sqlite", "one"))
    first, second = table_rows(url("sqlite", "two")), table_rows(url("sqlite", "one"))
    assert first["point"] == second["point"]
    assert (len(first["weight_change"]), first["log_file"], first["trigger"]) == (4, [], [])


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "points.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "points.parquet").write_bytes(content)


def remove_a_file(folder: Path) -> None:
    (folder / "event.parquet").unlink()


def raise_version(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"version": FORMAT_VERSION + 1}))


def remove_points_entry(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [file for file in manifest["files"] if file["name"] != "points.parquet"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": files}))


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "kind", "about"),
    [
        (flip_a_byte, "damaged", "points.parquet"),
        (break_manifest, "damaged", "manifest.json"),
        (remove_a_file, "missing", "event.parquet"),
        (remove_points_entry, "missing", "points.parquet"),
        (raise_version, "newer", f"{FORMAT_VERSION + 1} > {FORMAT_VERSION}"),
        (remove_manifest, "not_an_export", "export"),
    ],
)
def test_a_bad_export_is_rejected_before_anything_is_written(
    folder: Path, url: UrlFactory, spoil: Callable[[Path], None], kind: str, about: str
) -> None:
    spoil(folder)
    with pytest.raises(ExportError) as caught:
        import_from(folder, url("sqlite", "two"))
    assert (caught.value.kind, Path(caught.value.about).name) == (kind, about)
    assert {name for name, rows in table_rows(url("sqlite", "two")).items() if rows} == set()


def test_a_folder_that_is_not_empty_is_rejected(folder: Path, url: UrlFactory) -> None:
    with pytest.raises(ExportError) as caught:
        export_to(url("sqlite", "one"), folder)
    assert caught.value.kind == "occupied"
