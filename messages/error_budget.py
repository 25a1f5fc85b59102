"""Messages of the error budget of a service level objective."""

from collections.abc import Mapping

from analysis.retrospective.error_budget import ErrorBudget
from domain import FleetName
from messages import numbers, times
from messages.i18n import _, lazy

TITLE = lazy("error budget burned")
TOO_LITTLE_TRAFFIC = lazy(
    "The error budget is estimated from at least a day of requests, which the archive does not have yet."
)


def burned(shares: Mapping[FleetName, float | None], labels: Mapping[FleetName, str]) -> str:
    """ "EC2 0.21% · ECS 0.24%"; "–" if they are not known."""
    if all(share is None for share in shares.values()):
        return numbers.NONE
    return " · ".join(f"{labels[fleet]} {numbers.percent(share)}" for fleet, share in shares.items())


def explained(budget: ErrorBudget) -> str:
    """What the shares are of."""
    if budget.errors is None:
        return str(TOO_LITTLE_TRAFFIC)
    return _(
        "Errors of this phase, as a share of those that the SLO ({slo}) allows: about {errors} at the traffic of the last {length}. No influence on the "
        "decision."
    ).format(slo=budget.slo, errors=numbers.count(round(budget.errors)), length=times.duration(budget.covered_s))


def in_phase(baseline: float | None, canary: float | None) -> str:
    """Below the error rates of a phase; "" if nothing is known."""
    if baseline is None and canary is None:
        return ""
    return _("budget burned {baseline} / {canary}").format(
        baseline=numbers.percent(baseline), canary=numbers.percent(canary)
    )


def tile(
    shares: Mapping[FleetName, float | None], labels: Mapping[FleetName, str], *, slo: object, days: int
) -> tuple[str, str, str]:
    """Number, label and details of a whole migration."""
    label = _("of the {days}-day error budget burned by {canary}").format(days=days, canary=labels["canary"])
    details = _("{baseline_label} {baseline} · SLO {slo}").format(
        baseline_label=labels["baseline"], baseline=numbers.percent(shares["baseline"]), slo=slo
    )
    return numbers.percent(shares["canary"]), label, details
