"""The requests of each fleet in a window of the archive: their number, or why it is not known."""

from collections.abc import Iterable

import pandas as pd

from analysis.series.fleet_requests import FleetRequests, RequestsState
from archive import Archive, MetricsResult, RequestCoverage
from domain import FLEETS, FleetName, Window, epoch_s


def fleet_requests(
    result: MetricsResult, source: str, *, final_until: int, canary_share: float | None = None
) -> tuple[FleetRequests, ...]:
    """The requests of the baseline and of the canary in the part of a window that ends at `final_until` (epoch seconds).

    `canary_share`: the configured share in all of the window, None if it is unknown or changed.
    """
    end = min(result.window.end, final_until)
    final = Window(result.window.start, end) if end > result.window.start else None
    shares = {"baseline": None if canary_share is None else 1 - canary_share, "canary": canary_share}
    return tuple(_requests_of(result, source, fleet, final, zero_share=shares[fleet] == 0) for fleet in FLEETS)


def _requests_of(
    result: MetricsResult, source: str, fleet: FleetName, final: Window | None, *, zero_share: bool
) -> FleetRequests:
    rows = result.frame[(result.frame["fleet"] == fleet) & (result.frame["metric"] == "requests")]
    count = _final_count(rows, final) if final else 0
    if count:
        return FleetRequests(fleet, "counted", count, source)
    coverage = {series.target_group: of_group for series, of_group in result.requests.items() if series.fleet == fleet}
    state = _state(tuple(coverage.values()), result.window, final, zero_share=zero_share, has_rows=len(rows) > 0)
    silent = tuple(name for name, of_group in coverage.items() if not of_group.ever_reported)
    return FleetRequests(
        fleet,
        state,
        0 if state == "none" else None,
        source,
        zero_share=zero_share,
        groups=silent if state == "never_reported" else (),
    )


def _final_count(rows: pd.DataFrame, final: Window) -> int:
    starts, period_s = epoch_s(rows), rows["period_s"].to_numpy()
    return round(float(rows["value"].to_numpy()[(starts >= final.start) & (starts + period_s <= final.end)].sum()))


def _state(
    coverage: tuple[RequestCoverage, ...], window: Window, final: Window | None, *, zero_share: bool, has_rows: bool
) -> RequestsState:
    """The state of a fleet without requests in `final`. `has_rows`: it has some in the provisional minutes, or rows of 0."""
    failed = [part for of_group in coverage for part in of_group.failed]
    if final is None:
        is_unknown = not has_rows and any(part.overlap(window) for part in failed)
        return "unknown" if is_unknown else "not_yet"
    unanswered = [gap for of_group in coverage for part in of_group.unanswered if (gap := part.overlap(final))]
    if any(gap.overlap(part) for part in failed for gap in unanswered):
        return "unknown"
    if unanswered or not coverage:
        return "not_asked"
    is_silent = not zero_share and not any(of_group.ever_reported for of_group in coverage)
    return "never_reported" if is_silent else "none"


def requests_unread(result: MetricsResult, fleets: Iterable[FleetRequests]) -> tuple[Window, ...]:
    """Time in which the fleets' shares of the requests are unknown: all of it if one of `fleets` has never reported."""
    if any(requests.state == "never_reported" for requests in fleets):
        return (result.window,)
    return result.requests_unknown


def constant_share(archive: Archive, window: Window) -> float | None:
    """The configured share of the canary in all of `window`; None if it is unknown or changed meanwhile. Raises ArchiveError."""
    changes = [change for change in archive.events.weight_changes() if change.ts < window.end]
    if not changes:
        initial = archive.events.initial_share()
        return initial.share if initial and initial.since <= window.start else None
    return changes[-1].after if changes[-1].ts <= window.start else None
