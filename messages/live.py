"""Messages of the Live page."""

from collections.abc import Iterable

from messages import events, times
from messages.i18n import LazyText, _, comma_list, lazy

LANGUAGE = lazy("Language")
APP_TITLE = lazy("Migration dashboard")
LIVE_TITLE = lazy("Live")
ARCHIVE_ERROR = lazy("The archive cannot be opened")
TRY_AGAIN = lazy("Try again")
WINDOW = lazy("Window")
SOURCE = lazy("Source")
PERCENTILE = lazy("Percentile")
THRESHOLD = lazy("Slow means longer than")
DEMO_MARK = lazy("DEMO")
DEMO_TEXT = lazy("A scripted migration, up to this minute. Write a migration.toml to see your own. Episodes:")
UNEXPLAINED = lazy(
    "No metric shows that a target failed these requests: WebSocket upgrades (101) and clients that went away (460) look like this. They are not "
    "counted as errors."
)
ALB_5XX_EXPLAINED = lazy("A count of all target groups behind the load balancer, not only of these fleets.")
ALB_5XX_UNKNOWN = lazy("ALB-generated 5xx not known")
ALB_5XX_UNKNOWN_EXPLAINED = lazy(
    "Without it, every request without a counted response counts as an error, also WebSocket upgrades (101) and clients that went away (460)."
)
LOW_SAMPLE = lazy("Stands on too few answers to be judged")
AWAITING_FIRST_ANSWER = lazy("asked, no answer yet")
SEVERAL_GROUPS = lazy(
    "Some minutes were served by two target groups of one fleet: the busier one's percentile is shown."
)
QUERIES_TITLE = lazy("Queries behind this page")
LOAD_BALANCER = lazy("load balancer")
RULES_TITLE = lazy("All rules")
RULES_HEAD = (
    lazy("listener"),
    lazy("priority"),
    lazy("condition"),
    lazy("forwards to, weight (share)"),
    lazy("stickiness"),
)
ANY_REQUEST = lazy("any request")
SOURCES_TITLE = lazy("Sources")
NEVER_SUCCEEDED = lazy("no good answer yet")
TRAFFIC_TITLE = lazy("Traffic")
WEIGHTS_WITHOUT_AWS = lazy("The weights are read from AWS, and this migration has no [aws].")
# Why a URL parameter was ignored, and its valid values.
INVALID_PARAMS: dict[str, LazyText] = {
    "window": lazy(
        "The address asks for a window that does not exist; showing 3h. Windows are 30m, 1h, 3h, 12h and 24h."
    ),
    "range": lazy("The address's from and to are not times; showing the last hours. Write them as 2026-11-22T13:10Z."),
    "range_order": lazy("The address's to lies before its from; showing the last hours. Swap them."),
    "range_too_long": lazy("The address asks for more than 14 days; showing the last hours. Narrow from and to."),
    "events": lazy(
        "The address names no kind of event that there is; showing all. There are weight, alert, annotation, deployment, rollback, note, and none."
    ),
    "source": lazy("The address asks for a source that is not configured; showing the first that is."),
    "percentile": lazy(
        "The address asks for a percentile that is not kept; showing p95. There are p50, p90, p95 and p99."
    ),
}


def configuration_error(path: str) -> str:
    return _("{path} cannot be used yet").format(path=path)


def last_known(moment: str, age: str) -> tuple[str, str]:
    """For an empty window that ends now: the archive's newest data, and the link to it."""
    text = _("The newest number that is kept is of {moment}, {age}.").format(moment=moment, age=age)
    return text, _("Show the time before it")


def leave_window(span: str) -> str:
    return f"✕ {span}"


def episode(slug: str) -> str:
    """The link to an episode of the demo."""
    return {
        "latency_regression": _("a latency regression at 10%, rolled back"),
        "blind_spot": _("the blind spot: dead tasks, 0% target 5xx"),
        "half_and_half": _("the step to 50:50"),
    }.get(slug, slug)


def data_until(time_of_day: str) -> str:
    return _("data to {time}").format(time=time_of_day)


def top_line(*, paused: bool) -> dict[str, str]:
    """The texts of components/top_line.js, which fills in {age} and {s} every second, {s}, {m} and {h} in an age, as `times.duration` does."""
    return {
        "age_s": _("{s}s"),
        "age_m": _("{m} min"),
        "age_h": _("{h}h {m}m"),
        "nothing": _("no data yet"),
        "old": _("{age} old"),
        "next": _("next in {s} s"),
        "late": _("no refresh for {age}: is the server reachable? Reload the page"),
        "paused": _("paused") if paused else "",
    }


def panel_title(name: str, *, percentile: str = "", threshold: str = "") -> str:
    return {
        "error_rate": _("Error rate"),
        "latency": _("Latency {percentile}").format(percentile=percentile),
        "slow": _("Slow answers > {threshold}").format(threshold=threshold),
        "requests": _("Requests a minute"),
    }[name]


def panel_explained(name: str) -> str:
    """What a chart shows, for its tooltip and its text alternative."""
    return {
        "error_rate": _(
            "Target 5xx plus no response, per request, over five minutes. No response: requests that a fleet received and whose response its own "
            "5xx count does not hold, as far as connection errors or 5xx of the load balancer account for them. Grey, on the right-hand axis: 5xx "
            "a minute that the load balancer made itself, for all of its target groups."
        ),
        "latency": _("Target response time of answered requests. A percentile of too few answers is faint."),
        "slow": _("The share of answers that took longer than the threshold."),
        "requests": _("Requests that the load balancer sent to each fleet."),
    }[name]


def alternative(title: str, explained: str, *, events_marked: int) -> str:
    """A chart's text alternative."""
    text = _("{title}. {explained} The newest values stand above the chart.").format(title=title, explained=explained)
    return f"{text} {events.marked_events(events_marked)}" if events_marked else text


def pooled_span(duration: str, time_of_day: str) -> str:
    return _("{duration} to {time}").format(duration=duration, time=time_of_day)


def unanswered(shares: str) -> str:
    return _("no response {shares}").format(shares=shares)


def unexplained(shares: str) -> str:
    """Requests without a counted response that are not counted as errors."""
    return _("response not counted {shares}").format(shares=shares)


def alb_5xx(per_minute: str) -> str:
    return _("ALB-generated 5xx, whole load balancer: {per_minute}").format(per_minute=per_minute)


def errors_unread(source_label: str) -> str:
    return _(
        "{source} did not answer for the counts that the error rate is made of. It is not known, which is not 0%: see Sources below."
    ).format(source=source_label)


def latency_unread(source_label: str) -> str:
    return _("{source} answered for requests, and failed for some series: see Sources below for what to do.").format(
        source=source_label
    )


def unsupported_metric(source_label: str, metric: str, *, with_cloudwatch: bool) -> str:
    """`with_cloudwatch`: CloudWatch is configured, too."""
    alb_codes = _("{source} does not tell 502, 503 and 504 apart.")
    return {
        "latency.p50": _("{source} does not report p50."),
        "latency.sample_count": _("{source} does not say how many answers a percentile stands on."),
        "latency.within": _("{source} does not report shares within a threshold. Choose CloudWatch to see them.")
        if with_cloudwatch
        else _("{source} does not report shares within a threshold. CloudWatch does: add [aws] to migration.toml."),
        "connection_errors": _("{source} does not report connection errors."),
        "fail_open_requests": _("{source} does not report fail-open requests."),
        "alb_502": alb_codes,
        "alb_503": alb_codes,
        "alb_504": alb_codes,
    }.get(metric, _("{source} does not report {what}.")).format(source=source_label, what=metric)


def no_values(source_label: str) -> str:
    """For a chart without values in a window with requests."""
    return _("{source} reported requests in this window, but no values of this chart.").format(source=source_label)


def no_rows_yet(source_label: str) -> str:
    return _("Nothing from {source} in this window yet. It is being read now; the page follows by itself.").format(
        source=source_label
    )


def reading(source_label: str, done: int, total: int) -> str:
    return _("Reading from {source}: {done} of {total} minutes.").format(source=source_label, done=done, total=total)


def no_rows_source_down(source_label: str) -> str:
    return _("Nothing from {source} in this window, and it does not answer: see Sources below for what to do.").format(
        source=source_label
    )


def resolution(period: str) -> str:
    return _("Resolution {period}.").format(period=period)


def resolutions(parts: Iterable[tuple[str, str]]) -> str:
    """`parts`: pairs of a period and the time to which it applies."""
    text = comma_list(_("{period} {when}").format(period=period, when=when) for period, when in parts)
    return _("Resolution {parts}.").format(parts=text)


def last_success(age: str) -> str:
    return _("last good answer {age}").format(age=age)


def elapsed(seconds: float) -> str:
    return times.run_time(seconds)


def open_graph(product: str) -> str:
    return _("Open this graph in {place}").format(place=product)


def open_in(product: str) -> str:
    return f"{product} ↗"


def configured_share(share: str) -> str:
    return _("{share} told").format(share=share)


def observed_share(share: str) -> str:
    return _("{share} seen").format(share=share)


def no_weights(problem: str) -> str:
    return _("The weights are not known yet. {problem}").format(problem=problem)


def weights_read(age: str) -> str:
    return _("weights read {age}").format(age=age)


def observed_only(shares: str) -> str:
    """The observed shares if the weights are unknown."""
    return _("Seen in the last two hours: {shares}.").format(shares=shares)
