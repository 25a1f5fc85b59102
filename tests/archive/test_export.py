"""An archive taken away and brought in elsewhere: the same, once, and never from a damaged copy."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from archive import Keeper
from archive.export import ExportError, bring_in, export, read_manifest
from sources import Events, Look
from tests.archive.test_happenings import TRAFFIC, alert
from tests.archive.world import ECS, HOURLY, LATENCY, MIGRATION, NOON, World, at, open_archive, said, span

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export of half a day, of an alert, and of two looks."""
    (tmp_path / "one").mkdir()
    world = World(wanted=(ECS, LATENCY, HOURLY))
    with open_archive(tmp_path / "one") as archive:
        archive.bring(span(-720, 0), world, now=at(0))
        archive.keep_events(Events(span(-60, 0), NOON, (alert("a", -10),)), "mackerel_events")
        archive.keep_look(Look(NOON, TRAFFIC), "load_balancer")
        export(archive.engine, MIGRATION, tmp_path / "export", now=NOON)
    return tmp_path / "export"


def brought_in(folder: Path, tmp_path: Path, times: int) -> dict[str, object]:
    (tmp_path / "two").mkdir(exist_ok=True)
    with open_archive(tmp_path / "two") as archive:
        for _ in range(times):
            bring_in(archive.engine, folder, settle_s=900)
        brought = archive.read(span(-720, 0), "cloudwatch", now=at(0))
        hours = archive.read(span(-720, 0), "cloudwatch", now=at(0), only=lambda one: one.hourly)
        return {
            "requests": said(brought, ECS),
            "hours": said(hours, HOURLY),
            "missing": brought.missing,
            "events": archive.events(span(-720, 0)),
            "traffic": archive.traffic(),
        }


def test_what_is_brought_in_is_what_was_taken_away_and_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    once = brought_in(folder, tmp_path, 1)
    assert once["requests"] == {minute: float(minute) for minute in range(-720, 0)}
    assert sorted(once["hours"]) == list(range(-720, -60, 60))  # type: ignore[call-overload]
    assert once["missing"] == ()
    assert [event.key for event in once["events"]] == ["a"]  # type: ignore[attr-defined]
    assert once["traffic"]
    assert brought_in(folder, tmp_path, 2) == once


def test_any_program_can_read_the_points(folder: Path) -> None:
    points = pq.read_table(folder / "points.parquet").to_pandas()
    assert list(points.columns) == [
        "ts", "period_s", "value", "source", "fleet", "target_group", "metric", "stat", "unit"
    ]  # fmt: skip
    assert points.groupby("stat", observed=True).size().to_dict() == {"p95": 720, "p95_hourly": 11, "sum": 720}
    manifest = read_manifest(folder)
    assert (manifest.points, manifest.start, manifest.end) == (1451, NOON - 720 * 60, NOON)


def test_what_is_there_stays_and_only_the_new_minutes_are_asked_afterwards(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    world = World(wanted=(ECS, LATENCY, HOURLY), numbers=lambda series, ts, asked_at: -1.0, now=at(0))
    with open_archive(tmp_path / "two") as archive:
        archive.bring(span(-60, 0), world, now=at(0))
        bring_in(archive.engine, folder, settle_s=900)
        found = said(archive.read(span(-720, 0), "cloudwatch", now=at(0)), ECS)
        assert {minute: found[minute] for minute in (-720, -61, -60, -16)} == {-720: -720, -61: -61, -60: -1, -16: -1}
        world.now = at(1)
        world.pulls.clear()
        keeper = Keeper(archive, [world], None, [], horizon_minutes=720, clock=lambda: at(1))
        while keeper.keep_metrics(world) == 0:
            pass
        assert all(window.start >= NOON - 15 * 60 for window, series in world.pulls if ECS in series)


@pytest.mark.parametrize(
    ("kind", "about"),
    [("damaged", "points.parquet"), ("missing", "event.parquet"), ("newer", "2 > 1"), ("not_an_export", "nowhere")],
)
def test_a_bad_export_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, kind: str, about: str
) -> None:
    if kind == "damaged":
        content = bytearray((folder / about).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / about).write_bytes(content)
    elif kind == "missing":
        (folder / about).unlink()
    elif kind == "newer":
        told = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(told | {"version": 2}))
    place = tmp_path / "nowhere" if kind == "not_an_export" else folder
    (tmp_path / "two").mkdir()
    with open_archive(tmp_path / "two") as archive:
        with pytest.raises(ExportError) as caught:
            bring_in(archive.engine, place, settle_s=900)
        assert (caught.value.kind, Path(caught.value.about).name) == (kind, about)
        assert archive.read(span(-720, 0), "cloudwatch", now=at(0)).frame.empty


def test_a_folder_that_holds_something_is_left_alone(folder: Path, tmp_path: Path) -> None:
    with open_archive(tmp_path / "one") as archive, pytest.raises(ExportError) as caught:
        export(archive.engine, MIGRATION, folder, now=NOON)
    assert caught.value.kind == "occupied"
