"""Texts in and around charts. Functions, because each reader has a language."""

from messages.i18n import _


def component_texts() -> dict[str, str]:
    """The texts of ui/components/overlay_chart.js, which fills in {n}."""
    return {"n": _("(n = {n})")}


def provisional() -> str:
    return _("provisional")


def low_sample() -> str:
    return _("low sample")


def alb_5xx() -> str:
    return _("ALB 5xx")


def difference(baseline: str, canary: str) -> str:
    return _("{canary} − {baseline}").format(canary=canary, baseline=baseline)


def share_panel(canary: str) -> str:
    """The panel of the canary's share of the requests."""
    return _("{canary} share").format(canary=canary)


def configured() -> str:
    return _("configured")


def observed() -> str:
    return _("observed")


def error_rate() -> str:
    return _("Error rate")


def p95() -> str:
    return _("p95")


def alb_5xx_of_load_balancer() -> str:
    return _("ALB-generated 5xx, whole load balancer")


def no_response(fleet: str) -> str:
    return _("{fleet} no response").format(fleet=fleet)


def connection_errors(fleet: str) -> str:
    return _("{fleet} connection errors").format(fleet=fleet)


def no_difference(*, is_scarce: bool) -> str:
    if is_scarce:
        return _("no difference: too few answers a minute; a lower percentile needs fewer")
    return _("no difference: a side has no values")


def margin(margin: str) -> str:
    return _("margin ±{margin}").format(margin=margin)


def day_format() -> str:
    """A day on an axis, for plotly: "22 Nov"."""
    return _("%-d %b")
