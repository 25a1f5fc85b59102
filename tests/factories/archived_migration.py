"""An archive of twenty days in which a migration went to 50 %, with one outage: every number can be checked by eye."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive
from domain import Event, Migration, Series, WeightChange, Window
from sources.base import Events
from tests.fakes.metric_source import FakeMetricSource

DAY, MINUTE = 86_400, 60
FIRST_DAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())  # a Monday
PERIOD_S = 300
REQUESTS_PER_PERIOD = 10_000  # in five minutes, by both fleets together; one in five hundred fails
GROUPS = {"baseline": "photo-ec2", "canary": "photo-ecs"}
# (day, hour, minute) → the canary's share
STEPS = (((8, 9, 0), 0.1), ((9, 9, 0), 0.25), ((9, 15, 20), 0.0), ((10, 9, 0), 0.5))
OUTAGE = Window(FIRST_DAY + 9 * DAY + 15 * 3600, FIRST_DAY + 9 * DAY + 15 * 3600 + 20 * MINUTE)
END = FIRST_DAY + 20 * DAY


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


def time_of(day: int, hour: int = 0, minute: int = 0) -> int:
    return FIRST_DAY + day * DAY + hour * 3600 + minute * MINUTE


def canary_share(ts: int) -> float:
    held = [told for moment, told in STEPS if time_of(*moment) <= ts]
    return held[-1] if held else 0.0


def make_series() -> tuple[Series, ...]:
    every = (
        ("requests", "sum"),
        ("target_2xx", "sum"),
        ("target_5xx", "sum"),
        ("latency", "p95"),
        ("latency", "sample_count"),
    )
    return tuple(
        Series("mackerel", fleet, group, metric, stat, "s" if stat == "p95" else "count")
        for fleet, group in GROUPS.items()
        for metric, stat in every
    )  # fmt: skip


def value_at(one: Series, ts: int, _now: int) -> float | None:
    part = canary_share(ts) if one.fleet == "canary" else 1 - canary_share(ts)
    requests = REQUESTS_PER_PERIOD * part
    if not requests:
        return None
    dead = one.fleet == "canary" and OUTAGE.start <= ts < OUTAGE.end
    failed = 0.0 if dead else requests / 500
    answered = 0.0 if dead else requests
    wave = 1 + 0.01 * (ts // PERIOD_S % 5 - 2)
    told = {
        ("requests", "sum"): requests,
        ("target_2xx", "sum"): answered - failed,
        ("target_5xx", "sum"): failed,
        ("latency", "p95"): 0.2 * wave if answered else None,
        ("latency", "sample_count"): answered,
    }[one.metric, one.stat]
    return told or None


def make_weight_changes() -> tuple[WeightChange, ...]:
    found, before = [], 0.0
    for moment, after in STEPS:
        found.append(
            WeightChange(
                time_of(*moment), time_of(*moment), before, after, operation="ModifyRule", key=str(time_of(*moment))
            )
        )
        before = after
    return tuple(found)


def make_event(ts: int, kind: str, title: str, *, until: int | None = None, fleet: str = "canary") -> Event:
    return Event(ts, until, kind, title, "", fleet, "", "told", f"{kind}:{ts}")  # type: ignore[arg-type]


EVENTS = (
    make_event(time_of(9, 15, 4), "alert", "no healthy host", until=time_of(9, 15, 40)),
    make_event(time_of(9, 15, 20), "rollback", "Back to 0 %"),
)


def archived_migration(
    folder: Path,
    config: Migration | None = None,
    *,
    start: int = FIRST_DAY,
    gap: Window | None = None,
    events: tuple[Event, ...] = EVENTS,
    shift_s: int = 0,
) -> Archive:
    """The archive as it was at the end of the twentieth day, of everything from `first` on; `without`: the source had no numbers of that time;
    `later_s`: all of it so much later.
    """
    end = END + shift_s
    now = datetime.fromtimestamp(end + 3600, UTC)
    kept = config or make_migration()
    archive = Archive.open(f"sqlite:///{folder / 'archive.db'}", kept, clock=lambda: now)

    def told_number(one: Series, ts: int, asked_at: int) -> float | None:
        ts -= shift_s
        return None if gap and gap.start <= ts < gap.end else value_at(one, ts, asked_at)

    world = FakeMetricSource(make_series(), "mackerel", told_number, now, finest_period=lambda start, now: PERIOD_S)
    archive.metrics.fill(Window(start + shift_s, end), world, now=now, max_periods=1440)
    happened = tuple(
        replace(one, ts=one.ts + shift_s, until=None if one.until is None else one.until + shift_s) for one in events
    )
    stepped = tuple(replace(one, ts=one.ts + shift_s, since=one.since + shift_s) for one in make_weight_changes())
    told = Events(Window(FIRST_DAY + shift_s, end), end, happened, weight_changes=stepped)
    archive.events.save_events(told, "told")
    return archive


NOW = datetime.fromtimestamp(END + 15 * MINUTE, UTC)  # the end of the last day has just settled
