"""Messages of the hero: what the decision depends on beside the criteria, as chips, and the title of the browser's tab."""

from analysis.deployments.rollback import RollbackReadiness
from messages import numbers
from messages.i18n import _, lazy, ngettext

ROLLBACK = lazy("Rollback…")
DEPLOYMENT_STEPS = lazy("Deployment steps…")
LOADING = lazy("Loading…")
LOADING_EXPLAINED = lazy("The data is being read for the first time.")
ROUTES = lazy("routes")
ROUTES_UNKNOWN = lazy("No processed access logs: routes not judged.")
ROUTES_PENDING = lazy("loading")
ROUTES_PENDING_EXPLAINED = lazy("Judging routes …")
ROUTES_UNREADABLE = lazy("unreadable")
ROUTES_UNREADABLE_EXPLAINED = lazy(
    "Access logs of this phase could not be read, so routes are not judged. See Endpoints."
)
ROUTES_EXPLAINED = lazy("Regressed routes, by the access logs (at most the last day).")
ALERTS = lazy("alerts")
ALERTS_NONE = lazy("No alert and no alarm is firing.")
ALERTS_UNKNOWN = lazy("unknown")


def page_title(*parts: str) -> str:
    """Of the browser's tab, the most specific part first: "■ HOLD · 1 route regressed — Photo service"."""
    return " — ".join(filter(None, parts))


def regressed(n: int) -> str:
    """After the number of routes."""
    return ngettext("regressed", "regressed", n)


def firing(n: int) -> str:
    return ngettext("{n} alert firing", "{n} alerts firing", n).format(n=numbers.count(n))


def capacity(readiness: RollbackReadiness | None) -> str:
    """Whether the baseline could take all traffic, in few words: "Rollback capacity OK (4/4 healthy)"."""
    if readiness is None:
        return _("Rollback capacity unknown")
    text = {
        "ready": _("Rollback capacity OK"),
        "unproven": _("Rollback capacity unverified"),
        "impossible": _("Cannot roll back"),
        "unknown": _("Rollback capacity unknown"),
    }[readiness.verdict]
    if readiness.healthy is None or readiness.registered is None:
        return text
    return _("{text} ({healthy}/{registered} healthy)").format(
        text=text, healthy=readiness.healthy, registered=readiness.registered
    )


def split(verdict: str | None) -> str:
    """Whether the observed share matches the configured one, in few words."""
    return {
        "matches": _("split matches weights"),
        "differs": _("split mismatch"),
        "not enough data": _("split not judged"),
    }.get(verdict or "", "")
