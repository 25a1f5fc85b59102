"""Texts in and around charts. Functions, because each reader has a language."""

from messages.i18n import _, plural


def component_texts() -> dict[str, str]:
    """The texts of ui/components/overlay_chart.js, which fills in what is in braces."""
    return {
        "n": _("(n = {n})"),
        "ci": _("({lower} … {upper})"),
        "time": _("Time"),
        "table": _("Table"),
        "as_table": _("{chart}: as a table"),
        "all_rows": _("Show all {n} rows"),
        "png": _("PNG"),
        "download": _("{chart}: download as PNG"),
    }


def note_button() -> str:
    """The button of a chart that offers a note on a time, which overlay_chart.js fills in."""
    return _("Note at {time}…")


def provisional() -> str:
    return _("provisional")


def last_week() -> str:
    """The name of the line of both fleets together, a week before."""
    return _("last week")


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
        return _("Too few responses per minute; try a lower percentile")
    return _("No data for one fleet")


def day_format() -> str:
    """A day on an axis, for plotly: "22 Nov"."""
    return _("%-d %b")


def estimate() -> str:
    """The judge's running estimate of the difference."""
    return _("estimate")


def difference_title(name: str, margin: object, *, estimated: bool) -> str:
    """The lower panel's title. `margin`: as configured, or None."""
    if not estimated:
        return _("{difference}, each period").format(difference=name)
    if margin is None:
        return _("{difference} so far, 95% CI; faint: each period").format(difference=name)
    return _("{difference} so far, 95% CI; margin ±{margin}; faint: each period").format(difference=name, margin=margin)


def share_title(canary: str) -> str:
    return _("{canary} share: configured (filled), observed (line)").format(canary=canary)


def estimate_in_head(difference: str) -> str:
    """The judge's estimate of a difference, in the head of a chart."""
    return _("Δ so far {difference}").format(difference=difference)


def estimate_explained(lower: str, upper: str) -> str:
    return _("Canary − baseline over the whole phase so far; 95% CI {lower} … {upper}").format(lower=lower, upper=upper)


def events_alternative(n: int) -> str:
    """The text alternative of the lane of events."""
    return plural(
        "{n} event on the time axis of the charts below.", "{n} events on the time axis of the charts below.", n
    )
