"""What happens in the demo: a scripted migration of two months whose last step, to 50:50, lies a few hours before the program started."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from domain import Event, EventKind, FleetName, Window
from domain.window import merge_windows

ZONE = ZoneInfo("Asia/Tokyo")
EC2, BLUE, GREEN = "photo-ec2", "photo-ecs-blue", "photo-ecs-green"
FLEET_OF: dict[str, FleetName] = {EC2: "baseline", BLUE: "canary", GREEN: "canary"}
SOURCE = "demo_events"

# Since a little before the program's start, both fleets share a small hiccup every so often, so that a Live page has something to show.
HICCUP_INTERVAL_S = 150 * 60
HICCUP_OFFSET_S, HICCUP_DURATION_S = 60 * 60, 8 * 60
NOTE_OFFSET_S = 15 * 60
# Like CloudWatch it keeps minutes for a while only; of the time around the episodes, which pages link to, for ever.
DEMO_RETENTION_S, EPISODE_PADDING_S, COARSE_PERIOD_S = 15 * 86_400, 3 * 3600, 300
_NOTES = (
    ("Deployed thumbnailer 2.41", "Batch only. The web service is as it was."),
    ("Deployed admin pages 118", "No change of the web service."),
    ("Moved logs to the new bucket", "Both fleets, no restart."),
)


@dataclass(frozen=True, slots=True)
class WeightStep:
    """From `ts` on the split is told these weights, and `live` is the ECS group that serves."""

    ts: int
    baseline: int
    canary: int
    live: str

    @property
    def share(self) -> float:
        """The canary's share of the traffic, 0–1."""
        return self.canary / (self.baseline + self.canary)


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch worth a link: "latency_regression", "blind_spot" or "half_and_half"."""

    slug: Literal["latency_regression", "blind_spot", "half_and_half"]
    window: Window


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole script, in epoch seconds. Before `begin` nothing was recorded; after the last step it just goes on.

    `happened` are its events, but for the steps themselves: who made them is sources/demo/audit_log.py's to tell.
    """

    anchor: int
    start: int
    steps: tuple[WeightStep, ...]
    slowdown: Window  # the canary answers slowly
    outage: Window  # the canary's tasks are dead; from the roll-back on, nobody asks them
    scripted_events: tuple[Event, ...]

    def step_at(self, ts: int) -> WeightStep:
        """The step that holds at `ts`; before the story, its first."""
        return self.steps[max(bisect_right(self.steps, ts, key=lambda step: step.ts) - 1, 0)]

    def registered_windows(self, group: str) -> tuple[Window, ...]:
        """When a target group has targets: EC2 always; an ECS group from ten minutes before it serves until an hour after, as CodeDeploy does it."""
        ends = [step.ts for step in self.steps[1:]] + [2**40 // 60 * 60]
        return tuple(
            Window(step.ts - 600, end + 3600)
            for step, end in zip(self.steps, ends, strict=True)
            if group in (EC2, step.live)
        )

    def events(self, window: Window, now: int) -> Iterator[Event]:
        """What a listener had heard at `now` of everything that touches `window`, in order of time. What has not ended yet is open."""
        told = [*self.scripted_events, *self._hiccup_events(window)]
        for event in sorted(told):
            ends = event.until if event.until is not None else event.ts
            if event.ts > now or event.ts >= window.end or ends < window.start:
                continue
            if event.until is not None and event.until > now:
                yield replace(event, until=None, open=True)
            else:
                yield event

    def _hiccup_events(self, window: Window) -> Iterator[Event]:
        first = max(-2, (window.start - self.anchor) // HICCUP_INTERVAL_S - 1)
        for turn in range(first, (window.end - self.anchor) // HICCUP_INTERVAL_S + 1):
            start = self.anchor + turn * HICCUP_INTERVAL_S
            title, detail = _NOTES[turn % len(_NOTES)]
            yield _event(start + NOTE_OFFSET_S, "annotation", title, detail)
            opened = start + HICCUP_OFFSET_S + 120
            yield _event(
                opened, "alert", "photo: 5xx above 0.4 %", "Storage was slow; both fleets alike.", until=opened + 540
            )


@lru_cache(maxsize=8)
def scenario_for(anchor: datetime) -> Scenario:
    """The script for a program that was started at `anchor`, which is taken to the hour below it."""
    at_s = int(anchor.timestamp()) // 3600 * 3600
    today = datetime.fromtimestamp(at_s, ZONE).date()

    def at(days_before: int, clock: str) -> int:
        return _local_epoch_s(today - timedelta(days=days_before), clock)

    begin = at(70, "00:00")  # more than a week before the first step, for before and after
    steps = (
        WeightStep(begin, 100, 0, BLUE),
        WeightStep(at(60, "10:30"), 999, 1, BLUE),
        WeightStep(at(53, "10:30"), 990, 10, BLUE),
        WeightStep(at(44, "11:00"), 950, 50, BLUE),
        WeightStep(at(37, "10:40"), 900, 100, BLUE),
        WeightStep(at(37, "11:38"), 950, 50, BLUE),  # rolled back: slow
        WeightStep(at(33, "14:00"), 100, 0, BLUE),  # everything to EC2, so that the swap is between two idle groups
        WeightStep(at(33, "14:06"), 100, 0, GREEN),
        WeightStep(at(33, "14:12"), 950, 50, GREEN),
        WeightStep(at(30, "10:30"), 900, 100, GREEN),
        WeightStep(at(23, "10:30"), 750, 250, GREEN),
        WeightStep(at(16, "15:34"), 100, 0, GREEN),  # rolled back: dead
        WeightStep(at(14, "11:00"), 100, 0, BLUE),
        WeightStep(at(12, "10:30"), 900, 100, BLUE),
        WeightStep(at(9, "10:30"), 750, 250, BLUE),
        WeightStep(at(5, "14:00"), 100, 0, BLUE),
        WeightStep(at(5, "14:06"), 100, 0, GREEN),
        WeightStep(at(5, "14:12"), 750, 250, GREEN),
        WeightStep(at_s - (6 * 60 + 10) * 60, 500, 500, GREEN),
    )
    happened = (
        _event(at(61, "15:00"), "deployment", "web 1.0.0 to photo-ecs-blue", "First deployment of the service.", "canary", until=at(61, "15:09")),
        _event(at(60, "10:00"), "annotation", "Canary begins", "Margins are fixed: error rate 0.05 pp, p95 10 %."),
        _event(at(37, "10:55"), "alert", "photo-ecs: p95 above 400 ms", "280 ms before.", "canary", until=at(37, "11:45")),
        _event(at(37, "11:38"), "rollback", "Back to 5 %", "p95 of ECS is outside its margin: too few database connections a task.", "canary"),
        _event(at(33, "14:02"), "deployment", "web 1.0.3 to photo-ecs-green", "40 database connections a task instead of 10.", "canary", until=at(33, "14:06")),
        _event(at(16, "15:26"), "alert", "photo: load balancer answers 5xx itself", "HTTPCode_ELB_5XX_Count", until=at(16, "15:38")),
        _event(at(16, "15:28"), "alert", "photo-ecs-green: no healthy host", "HealthyHostCount 0", "canary", until=at(16, "15:58")),
        _event(at(16, "15:34"), "rollback", "Back to 0 %", "ECS tasks are dead: a rotated secret that they could not read.", "canary"),
        _event(at(16, "15:58"), "note", "Tasks run again", "Secret restored by hand. Dashboards had shown 0 % errors for ECS.", "canary"),
        _event(at(14, "10:52"), "deployment", "web 1.1.0 to photo-ecs-blue", "Reads its secret at start; says when it cannot", "canary", until=at(14, "11:00")),
        _event(at(5, "14:02"), "deployment", "web 1.2.0 to photo-ecs-green", "Same release as on EC2.", "canary", until=at(5, "14:06")),
    )  # fmt: skip
    return Scenario(
        anchor=at_s,
        start=begin,
        steps=steps,
        slowdown=Window(at(37, "10:48"), at(37, "11:40")),
        outage=Window(at(16, "15:20"), at(16, "15:58")),
        scripted_events=tuple(sorted(happened)),
    )


def episodes(anchor: datetime) -> tuple[Episode, ...]:
    """The stretches that are worth a look, each at most three hours long, oldest first."""
    return _scenario_episodes(scenario_for(anchor))


def _scenario_episodes(story: Scenario) -> tuple[Episode, ...]:
    half = story.steps[-1].ts
    return (
        Episode("latency_regression", Window(story.slowdown.start - 38 * 60, story.slowdown.end + 30 * 60)),
        Episode("blind_spot", Window(story.outage.start - 40 * 60, story.outage.end + 22 * 60)),
        Episode("half_and_half", Window(half - 3600, half + 2 * 3600)),
    )


def available_periods(scenario: Scenario, window: Window, now: int) -> tuple[tuple[Window, int], ...]:
    """`window` cut by what the demo keeps at `now`, in order: minutes for MINUTES_KEPT_S and of the time around the episodes, periods of
    five minutes before that, nothing before the story. Grown to whole periods, so that a part may begin or end outside."""
    fine = [part for each in merge_windows(_minute_windows(scenario, now)) if (part := window.overlap(each))]
    coarse = (part.aligned(COARSE_PERIOD_S) for part in window.subtract((Window(0, scenario.start), *fine)))
    return tuple(sorted([*((part, 60) for part in fine), *((part, COARSE_PERIOD_S) for part in coarse)]))


def _minute_windows(story: Scenario, now: int) -> Iterator[Window]:
    """What is kept in minutes. Its borders are whole hours."""
    last = 2**40 // 3600 * 3600
    yield Window(max((now - DEMO_RETENTION_S) // 3600 * 3600, story.start), last)
    for episode in _scenario_episodes(story):
        around = Window(episode.window.start - EPISODE_PADDING_S, episode.window.end + EPISODE_PADDING_S)
        yield around.aligned(3600)


def _local_epoch_s(day: date, clock: str) -> int:
    return int(datetime.combine(day, time.fromisoformat(clock), ZONE).timestamp())


def _event(ts: int, kind: EventKind, title: str, detail: str, fleet: str = "", *, until: int | None = None) -> Event:
    return Event(ts, until, kind, title, detail, fleet, "", SOURCE, f"{kind}:{ts}")
