"""What access logs say beyond the verdicts: what was answered, and what failed or slow requests have in common."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from analysis.endpoints.answers import Answers, compare_answers
from analysis.endpoints.endpoints import JudgedEndpoints
from analysis.endpoints.why import TroubleKind, Why, counted_traits, explain
from archive import Archive
from domain import FleetName, Migration, Window
from domain.log_counts import TRAIT_BLOCK_S, TRAITS
from services.endpoints import RequestFilter, counted_part, filter_rows, fleet_by_target_group

NO_FILTER = RequestFilter()
FAILED_ONLY: tuple[TroubleKind, ...] = ("failed",)
WHY_COLUMNS = ("minute", "method", "route", "target_group", "elb_status", "target_status", "latency_ms", "n")


@dataclass(frozen=True, slots=True)
class LogDetails:
    """`answers` by the filter; `why`: of each kind of event that was asked for, of all requests. `undetailed_hours` of the `hours` with counts were
    counted, at least in part, by a version without details, and are not in either."""

    answers: Answers = field(default_factory=Answers)
    why: tuple[Why, ...] = ()
    undetailed_hours: int = 0
    hours: int = 0


def log_details(
    archive: Archive,
    migration: Migration,
    window: Window,
    request_filter: RequestFilter = NO_FILTER,
    *,
    kinds: Collection[TroubleKind] = FAILED_ONLY,
    worse: FleetName | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> LogDetails:
    """The details of `window`. Raises ArchiveError. `checkpoint` may raise to give up."""
    counted = counted_part(archive, window)
    if counted is None:
        return LogDetails()
    undetailed, hours = archive.access_logs.undetailed_hours(counted)
    answers = answers_of(archive, migration, counted, request_filter, checkpoint=checkpoint)
    why = why_of(archive, migration, counted, kinds, worse=worse, checkpoint=checkpoint)
    return LogDetails(answers, why, undetailed, hours)


def answers_of(
    archive: Archive,
    migration: Migration,
    window: Window,
    request_filter: RequestFilter = NO_FILTER,
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> Answers:
    """What was answered in `window`. Raises ArchiveError."""
    sizes = filter_rows(archive.access_logs.sizes(window), request_filter, by_status=True)
    checkpoint()
    excluded = migration.access_logs.answers_differ if migration.access_logs else ()
    fleets = fleet_by_target_group(migration)
    return compare_answers(sizes, fleets, window, excluded=excluded, checkpoint=checkpoint)


def why_of(
    archive: Archive,
    migration: Migration,
    window: Window,
    kinds: Collection[TroubleKind] = FAILED_ONLY,
    *,
    worse: FleetName | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[Why, ...]:
    """What the events of each kind have in common, in the hours of `window` that have traits. Raises ArchiveError."""
    traits = archive.access_logs.traits(window).cast(TRAITS)
    if not traits.num_rows:
        return ()
    detailed, parts = np.unique(traits["minute"].to_numpy()), [traits]
    for hour in archive.access_logs.iter_counts(
        window.aligned(TRAIT_BLOCK_S), WHY_COLUMNS
    ):  # whole blocks, as the traits
        checkpoint()
        rows = counted_traits(hour)
        parts.append(rows.filter(pa.array(np.isin(rows["minute"].to_numpy(), detailed))))
    fleets, zones, traits = fleet_by_target_group(migration), _zones(migration), pa.concat_tables(parts)
    found = (explain(traits, fleets, kind=kind, worse=worse, zones=zones) for kind in kinds)
    return tuple(why for why in found if why is not None)


def regressed_kinds(endpoints: JudgedEndpoints) -> tuple[TroubleKind, ...]:
    """The kinds of event of which there are more on the canary, by the verdicts of the total and of all routes."""
    kinds = list[TroubleKind]()
    for endpoint in (endpoints.total, *endpoints.routes):
        for result in endpoint.judgement.criteria:
            if result.verdict == "regression":
                is_slow = result.metric.startswith(("latency_", "slow_"))
                kinds.append("slow" if is_slow else "failed")
    return tuple(dict.fromkeys(sorted(kinds)))


def _zones(migration: Migration) -> Mapping[str, str]:
    return migration.access_logs.zones if migration.access_logs else {}
