"""The error budget of a service level objective, and which share of it errors burned. docs/MATH.md, "Error budget"."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain import FLEETS, FleetName, Slo
from domain.window import DAY_S

MIN_COVERED_S = DAY_S  # of the traffic that the estimate rests on: less has not seen a whole day


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The requests that may fail in the period of `slo`: `errors`, None if the traffic is not known well enough.

    `covered_s`: the length of the time whose traffic the estimate rests on.
    """

    slo: Slo
    errors: float | None
    covered_s: int

    def burned(self, errors: Mapping[FleetName, int | None]) -> dict[FleetName, float | None]:
        """The share of the budget that the errors of each fleet are: 1 is all of it, and there is no upper bound."""
        return {fleet: _share(errors[fleet], self.errors) for fleet in FLEETS}


def error_budget(slo: Slo, requests: float, covered_s: int) -> ErrorBudget:
    """The budget of a service with so many `requests` of both fleets in `covered_s` seconds."""
    is_known = covered_s >= MIN_COVERED_S and requests > 0
    expected = requests / covered_s * slo.days * DAY_S if is_known else None
    return ErrorBudget(slo, None if expected is None else slo.budget * expected, covered_s)


def _share(errors: int | None, budget: float | None) -> float | None:
    return None if errors is None or budget is None else errors / budget
