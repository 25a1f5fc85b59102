"""The demo's scenario: a scripted migration of two months, whose last step (to 50:50) was a few hours before the program started."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from domain import Event, EventKind, FleetName, Window
from domain.window import HOUR_S, MINUTE_S, merge_windows

ZONE = ZoneInfo("Asia/Tokyo")
EC2, BLUE, GREEN = "photo-ec2", "photo-ecs-blue", "photo-ecs-green"
RELEASE_SERVICE = "photo/search"
RELEASE_GROUPS = ("photo-search-blue", "photo-search-green")  # between which its releases shift the traffic
FLEET_OF: dict[str, FleetName] = {EC2: "baseline", BLUE: "canary", GREEN: "canary"}
SOURCE = "demo_events"

# Both fleets have a short hiccup every HICCUP_INTERVAL_S seconds, so that the Live page has something to show.
HICCUP_INTERVAL_S = 150 * 60
HICCUP_OFFSET_S, HICCUP_DURATION_S = 60 * 60, 8 * 60
NOTE_OFFSET_S = 15 * 60
# Minutes are retained for 15 days as in CloudWatch, and always around the episodes, because pages link to them.
DEMO_RETENTION_S, EPISODE_PADDING_S, COARSE_PERIOD_S = 15 * 86_400, 3 * 3600, 300
_NOTES = (
    ("Deployed thumbnailer 2.41", "Batch only. The web service is as it was."),
    ("Deployed admin pages 118", "No change of the web service."),
    ("Moved logs to the new bucket", "Both fleets, no restart."),
)


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """The weights from `ts` on, of the target groups `old` and `live`, which serves the canary's part."""

    ts: int
    baseline: int
    canary: int
    live: str
    old: str = EC2

    @property
    def share(self) -> float:
        """The canary's share of the traffic, 0–1."""
        return self.canary / (self.baseline + self.canary)


@dataclass(frozen=True, slots=True)
class Episode:
    """A window that pages link to."""

    slug: Literal["latency_regression", "blind_spot", "half_and_half"]
    window: Window


@dataclass(frozen=True, slots=True, eq=False)  # a key of caches: compared by identity
class Scenario:
    """The script, in epoch seconds. There is no data before `start`; after the last step it continues unchanged.

    `scripted_events`: without the weight changes, which sources/demo/audit_log.py returns.
    """

    anchor: int
    start: int
    steps: tuple[ScenarioStep, ...]
    slowdown: Window  # of the canary
    outage: Window  # of the canary; without traffic from the rollback on
    scripted_events: tuple[Event, ...]
    groups: tuple[str, ...] = (EC2, BLUE, GREEN)

    def step_at(self, ts: int) -> ScenarioStep:
        """The step in effect at `ts`; before the scenario, the first."""
        return self.steps[max(bisect_right(self.steps, ts, key=lambda step: step.ts) - 1, 0)]

    def registered_windows(self, group: str) -> tuple[Window, ...]:
        """When a target group has targets: EC2 always, an ECS group from ten minutes before it serves until an hour after (CodeDeploy)."""
        ends = [step.ts for step in self.steps[1:]] + [2**40 // 60 * 60]
        return tuple(
            Window(step.ts - 600, end + 3600)
            for step, end in zip(self.steps, ends, strict=True)
            if group in (step.old, step.live)
        )

    def events(self, window: Window, now: int) -> Iterator[Event]:
        """The events that overlap `window` as known at `now`, by time. Events that have not ended are open."""
        for event in sorted([*self.scripted_events, *self._hiccup_events(window)]):
            end = event.until if event.until is not None else event.ts
            if event.ts > now or event.ts >= window.end or end < window.start:
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
    """The scenario of a program that started in the hour of `anchor`."""
    anchor_s = int(anchor.timestamp()) // 3600 * 3600
    today = datetime.fromtimestamp(anchor_s, ZONE).date()

    def at(days_before: int, clock: str) -> int:
        return local_epoch_s(today - timedelta(days=days_before), clock)

    start = at(70, "00:00")  # more than a week before the first step, for the before/after comparison
    steps = (
        ScenarioStep(start, 100, 0, BLUE),
        ScenarioStep(at(60, "10:30"), 999, 1, BLUE),
        ScenarioStep(at(53, "10:30"), 990, 10, BLUE),
        ScenarioStep(at(44, "11:00"), 950, 50, BLUE),
        ScenarioStep(at(37, "10:40"), 900, 100, BLUE),
        ScenarioStep(at(37, "11:38"), 950, 50, BLUE),  # rolled back: slow
        ScenarioStep(at(33, "14:00"), 100, 0, BLUE),  # everything to EC2, so that CodeDeploy swaps idle groups
        ScenarioStep(at(33, "14:06"), 100, 0, GREEN),
        ScenarioStep(at(33, "14:12"), 950, 50, GREEN),
        ScenarioStep(at(30, "10:30"), 900, 100, GREEN),
        ScenarioStep(at(23, "10:30"), 750, 250, GREEN),
        ScenarioStep(at(16, "15:34"), 100, 0, GREEN),  # rolled back: dead
        ScenarioStep(at(14, "11:00"), 100, 0, BLUE),
        ScenarioStep(at(12, "10:30"), 900, 100, BLUE),
        ScenarioStep(at(9, "10:30"), 750, 250, BLUE),
        ScenarioStep(at(5, "14:00"), 100, 0, BLUE),
        ScenarioStep(at(5, "14:06"), 100, 0, GREEN),
        ScenarioStep(at(5, "14:12"), 750, 250, GREEN),
        ScenarioStep(anchor_s - (6 * 60 + 10) * 60, 500, 500, GREEN),
    )
    happened = (
        _event(at(61, "15:00"), "deployment", "web 1.0.0 to photo-ecs-blue", "First deployment of the service.", "canary", until=at(61, "15:09")),
        _event(at(60, "10:00"), "annotation", "Canary begins", "Margins are fixed: error rate 0.05 pp, p95 10 %."),
        _event(at(37, "10:55"), "alert", "photo-ecs: p95 above 400 ms", "280 ms before.", "canary", until=at(37, "11:45")),
        _event(at(37, "11:38"), "rollback", "Back to 5%", "p95 of ECS is outside its margin: too few database connections a task.", "canary"),
        _event(at(33, "14:02"), "deployment", "web 1.0.3 to photo-ecs-green", "40 database connections a task instead of 10.", "canary", until=at(33, "14:06")),
        _event(at(16, "15:26"), "alert", "photo: load balancer answers 5xx itself", "HTTPCode_ELB_5XX_Count", until=at(16, "15:38")),
        _event(at(16, "15:28"), "alert", "photo-ecs-green: no healthy host", "HealthyHostCount 0", "canary", until=at(16, "15:58")),
        _event(at(16, "15:34"), "rollback", "Back to 0%", "ECS tasks are dead: a rotated secret that they could not read.", "canary"),
        _event(at(16, "15:58"), "note", "Tasks run again", "Secret restored by hand. Dashboards had shown 0 % errors for ECS.", "canary"),
        _event(at(14, "10:52"), "deployment", "web 1.1.0 to photo-ecs-blue", "Reads its secret at start; says when it cannot", "canary", until=at(14, "11:00")),
        _event(at(5, "14:02"), "deployment", "web 1.2.0 to photo-ecs-green", "Same release as on EC2.", "canary", until=at(5, "14:06")),
    )  # fmt: skip
    return Scenario(
        anchor=anchor_s,
        start=start,
        steps=steps,
        slowdown=Window(at(37, "10:48"), at(37, "11:40")),
        outage=Window(at(16, "15:20"), at(16, "15:58")),
        scripted_events=tuple(sorted(happened)),
    )


def episodes(anchor: datetime) -> tuple[Episode, ...]:
    """The windows that pages link to, oldest first, each at most three hours long."""
    return _scenario_episodes(scenario_for(anchor))


def _scenario_episodes(scenario: Scenario) -> tuple[Episode, ...]:
    half = scenario.steps[-1].ts
    return (
        Episode("latency_regression", Window(scenario.slowdown.start - 38 * 60, scenario.slowdown.end + 30 * 60)),
        Episode("blind_spot", Window(scenario.outage.start - 40 * 60, scenario.outage.end + 22 * 60)),
        Episode("half_and_half", Window(half - 3600, half + 2 * 3600)),
    )


def available_periods(scenario: Scenario, window: Window, now: int) -> tuple[tuple[Window, int], ...]:
    """The parts of `window` in order, each with the period in seconds retained at `now` (60 or COARSE_PERIOD_S); none before the scenario.

    Parts are extended to whole periods, so they may begin or end outside `window`.
    """
    fine = [part for minutes in _minute_windows(scenario, now // HOUR_S) if (part := window.overlap(minutes))]
    coarse = (part.aligned(COARSE_PERIOD_S) for part in window.subtract((Window(0, scenario.start), *fine)))
    return tuple(sorted([*((part, 60) for part in fine), *((part, COARSE_PERIOD_S) for part in coarse)]))


def finest_period_s(scenario: Scenario, ts: int, now: int) -> int:
    """The period of `available_periods` in a minute; 0 before the scenario."""
    if any(window.start <= ts < window.end for window in _minute_windows(scenario, now // HOUR_S)):
        return MINUTE_S
    return COARSE_PERIOD_S if ts >= scenario.start else 0


@lru_cache(maxsize=8)
def _minute_windows(scenario: Scenario, hour: int) -> tuple[Window, ...]:
    """When minutes are retained in this hour since 1970, in whole hours."""
    last = 2**40 // 3600 * 3600
    windows = [Window(max(hour * HOUR_S - DEMO_RETENTION_S, scenario.start), last)]
    for episode in _scenario_episodes(scenario):
        around = Window(episode.window.start - EPISODE_PADDING_S, episode.window.end + EPISODE_PADDING_S)
        windows.append(around.aligned(3600))
    return merge_windows(windows)


def local_epoch_s(day: date, clock: str) -> int:
    """A time of the day in ZONE, in epoch seconds."""
    return int(datetime.combine(day, time.fromisoformat(clock), ZONE).timestamp())


def _event(ts: int, kind: EventKind, title: str, detail: str, fleet: str = "", *, until: int | None = None) -> Event:
    return Event(ts, until, kind, title, detail, fleet, "", SOURCE, f"{kind}:{ts}")
