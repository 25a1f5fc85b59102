"""An archive of twenty days in which a migration went to 50%, with one outage, in simple numbers."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from archive import Archive
from domain import Event, Migration, Series, WeightChange, Window
from sources.base import Events
from tests.factories.small_config import MACKEREL, small_toml
from tests.fakes.metric_source import FakeMetricSource

DAY, MINUTE = 86_400, 60
FIRST_DAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())  # a Monday
PERIOD_S = 300
REQUESTS_PER_PERIOD = 10_000  # in five minutes, of both fleets; one in five hundred fails
GROUPS = {"baseline": "photo-ec2", "canary": "photo-ecs"}
# (day, hour, minute) → the canary's share
STEPS = (((8, 9, 0), 0.1), ((9, 9, 0), 0.25), ((9, 15, 20), 0.0), ((10, 9, 0), 0.5))
OUTAGE = Window(FIRST_DAY + 9 * DAY + 15 * 3600, FIRST_DAY + 9 * DAY + 15 * 3600 + 20 * MINUTE)
END = FIRST_DAY + 20 * DAY
# The last midnight that is not in the last three hours, which Live shows.
SHIFT_S = (int(datetime.now(UTC).timestamp()) - 4 * 3600) // DAY * DAY - END


def make_migration(timezone: str = "UTC", name: str = "Photo service") -> Migration:
    return Migration.model_validate(
        {
            "name": name,
            "timezone": timezone,
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": ["photo-ec2"]},
                "canary": {"label": "ECS", "target_groups": ["photo-ecs"]},
            },
            "mackerel": {"service": "photo"},
        }
    )


def write_config(folder: Path, tables: str = "") -> Path:
    """A migration.toml for the archive in `folder`."""
    path, archive = folder / "migration.toml", f"sqlite:///{folder}/archive.db"
    keys = f'timezone = "UTC"\narchive = "{archive}"'
    path.write_text(small_toml(f"{MACKEREL}{tables}", keys=keys), encoding="utf-8")
    return path


def time_of(day: int, hour: int = 0, minute: int = 0) -> int:
    return FIRST_DAY + day * DAY + hour * 3600 + minute * MINUTE


def canary_share(ts: int) -> float:
    shares = [share for time, share in STEPS if time_of(*time) <= ts]
    return shares[-1] if shares else 0.0


def make_series() -> tuple[Series, ...]:
    metrics = (
        ("requests", "sum"),
        ("target_2xx", "sum"),
        ("target_5xx", "sum"),
        ("latency", "p95"),
        ("latency", "sample_count"),
    )
    return tuple(
        Series("mackerel", fleet, group, metric, stat, "s" if stat == "p95" else "count")
        for fleet, group in GROUPS.items()
        for metric, stat in metrics
    )  # fmt: skip


def value_at(series: Series, ts: int, _now: int) -> float | None:
    share = canary_share(ts) if series.fleet == "canary" else 1 - canary_share(ts)
    requests = REQUESTS_PER_PERIOD * share
    if not requests:
        return None
    is_down = series.fleet == "canary" and OUTAGE.start <= ts < OUTAGE.end
    failed = 0.0 if is_down else requests / 500
    answered = 0.0 if is_down else requests
    wave = 1 + 0.01 * (ts // PERIOD_S % 5 - 2)
    values = {
        ("requests", "sum"): requests,
        ("target_2xx", "sum"): answered - failed,
        ("target_5xx", "sum"): failed,
        ("latency", "p95"): 0.2 * wave if answered else None,
        ("latency", "sample_count"): answered,
    }
    return values[series.metric, series.stat] or None


def make_weight_changes() -> tuple[WeightChange, ...]:
    changes, before = [], 0.0
    for time, after in STEPS:
        ts = time_of(*time)
        changes.append(WeightChange(ts, ts, before, after, operation="ModifyRule", key=str(ts)))
        before = after
    return tuple(changes)


def make_event(ts: int, kind: str, title: str, *, until: int | None = None, fleet: str = "canary") -> Event:
    return Event(ts, until, kind, title, "", fleet, "", "test", f"{kind}:{ts}")  # type: ignore[arg-type]


EVENTS = (
    make_event(time_of(9, 15, 4), "alert", "no healthy host", until=time_of(9, 15, 40)),
    make_event(time_of(9, 15, 20), "rollback", "Back to 0%"),
)


def archived_migration(
    folder: Path,
    config: Migration | None = None,
    *,
    start: int = FIRST_DAY,
    gap: Window | None = None,
    events: tuple[Event, ...] = EVENTS,
    shift_s: int = 0,
    weight_changes: tuple[WeightChange, ...] | None = None,
) -> Archive:
    """The archive at the end of the twentieth day, with everything from `start` on except `gap`; all times are `shift_s` later."""
    config, path, now = config or make_migration(), folder / "archive.db", _asked_at(shift_s)
    like = config.model_copy(update={"archive": "", "timezone": "UTC"})  # the content depends on neither
    changes = make_weight_changes() if weight_changes is None else weight_changes
    path.write_bytes(_archive_file(like, start, gap, events, changes, shift_s))
    return Archive.open(f"sqlite:///{path}", config, clock=lambda: now)


def _asked_at(shift_s: int) -> datetime:
    return datetime.fromtimestamp(END + shift_s + 3600, UTC)


@cache
def _archive_file(
    config: Migration,
    start: int,
    gap: Window | None,
    events: tuple[Event, ...],
    weight_changes: tuple[WeightChange, ...],
    shift_s: int,
) -> bytes:
    """The SQLite file: filling it takes seconds."""
    end, now = END + shift_s, _asked_at(shift_s)

    def shifted_value(series: Series, ts: int, requested_at: int) -> float | None:
        ts -= shift_s
        return None if gap and gap.start <= ts < gap.end else value_at(series, ts, requested_at)

    source = FakeMetricSource(make_series(), "mackerel", shifted_value, now, finest_period=lambda start, now: PERIOD_S)
    shifted_events = tuple(
        replace(event, ts=event.ts + shift_s, until=None if event.until is None else event.until + shift_s)
        for event in events
    )
    changes = tuple(replace(change, ts=change.ts + shift_s, since=change.since + shift_s) for change in weight_changes)
    result = Events(Window(FIRST_DAY + shift_s, end), end, shifted_events, weight_changes=changes)
    with TemporaryDirectory() as folder:
        path = Path(folder, "archive.db")
        with Archive.open(f"sqlite:///{path}", config, clock=lambda: now) as archive:
            archive.metrics.fill(Window(start + shift_s, end), source, now=now, max_periods=1440)
            archive.events.save_events(result, "test")
        return path.read_bytes()


NOW = datetime.fromtimestamp(END + 15 * MINUTE, UTC)  # the end of the last day has just become final
