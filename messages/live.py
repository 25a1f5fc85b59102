"""Messages of the Live page."""

from collections.abc import Iterable, Sequence

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
THRESHOLD = lazy("Slow threshold")
DEMO_MARK = lazy("DEMO")
DEMO_TEXT = lazy("Demo data, generated up to now. Add a migration.toml to use your own. Try:")
UNEXPLAINED = lazy(
    "No metric attributes these requests to a failed target; WebSocket upgrades (101) and client disconnects (460) look the same. Not counted as "
    "errors."
)
ALB_5XX_EXPLAINED = lazy("Load balancer total: includes target groups outside both fleets.")
ALB_5XX_UNKNOWN = lazy("ALB-generated 5xx unavailable")
ALB_5XX_UNKNOWN_EXPLAINED = lazy(
    "Without it, every request without a counted response counts as an error, including WebSocket upgrades (101) and client disconnects (460)."
)
LOW_SAMPLE = lazy("Low sample: not judged")
AWAITING_FIRST_ANSWER = lazy("waiting for the first response")
SEVERAL_GROUPS = lazy("Two target groups of one fleet served some minutes: the percentile of the busier one is shown.")
QUERIES_TITLE = lazy("Query inspector")
LOAD_BALANCER = lazy("load balancer")
RULES_TITLE = lazy("Listener rules")
RULES_HEAD = (
    lazy("listener"),
    lazy("priority"),
    lazy("condition"),
    lazy("forwards to, weight (share)"),
    lazy("stickiness"),
)
ANY_REQUEST = lazy("any request")
OWN_EXPLAINED = lazy("A criterion of your own: each fleet's value in each minute.")
SILENT_NEXT_STEP = lazy(
    "If it was renamed, correct the criterion in the configuration; `cli.py doctor` checks each expression."
)
OWN_EMPTY = lazy("No data in this window. See Data sources.")
SOURCES_TITLE = lazy("Data sources")
NEVER_SUCCEEDED = lazy("No successful response yet")
TRAFFIC_TITLE = lazy("Traffic")
WEIGHTS_WITHOUT_AWS = lazy("Weights are read from AWS: add [aws] to migration.toml.")
# Why a URL parameter was ignored, and its valid values.
INVALID_PARAMS: dict[str, LazyText] = {
    "window": lazy("Unknown time range in URL; showing 3h. Use 30m, 1h, 3h, 12h or 24h."),
    "range": lazy("Invalid from or to in URL; showing the last hours. Format: 2026-11-22T13:10Z."),
    "range_order": lazy("In the URL, to is before from; showing the last hours. Swap them."),
    "range_too_long": lazy("Range in URL exceeds 14 days; showing the last hours. Narrow from and to."),
    "events": lazy(
        "Unknown kind of event in URL; showing all. Use weight, alert, annotation, deployment, rollback, note or none."
    ),
    "source": lazy("The source in the URL is not configured; showing the first configured one."),
    "percentile": lazy("Unknown percentile in URL; showing p95. Use p50, p90, p95, p99 or fan."),
    "compare": lazy("Unknown comparison in URL; showing none. Use week."),
}


def no_last_week(span: str, *, is_missing: bool) -> str:
    """`span`: the range a week before; `is_missing`: the source has not returned all of it."""
    if is_missing:
        return _("Same time last week ({span}): not in the archive yet, loading from the source.").format(span=span)
    return _("Same time last week ({span}): no data.").format(span=span)


def configuration_error(path: str) -> str:
    return _("Invalid {path}").format(path=path)


def last_known(moment: str, age: str) -> tuple[str, str]:
    """For an empty window that ends now: the archive's newest data, and the link to it."""
    text = _("Latest data: {moment} ({age}).").format(moment=moment, age=age)
    return text, _("Jump to it")


def leave_window(span: str) -> str:
    return f"✕ {span}"


def episode(slug: str) -> str:
    """The link to an episode of the demo."""
    return {
        "latency_regression": _("latency regression at 10%, rolled back"),
        "blind_spot": _("blind spot: dead tasks, 0% target 5xx"),
        "half_and_half": _("step to 50:50"),
    }.get(slug, slug)


def data_until(time_of_day: str) -> str:
    return _("Data through {time}").format(time=time_of_day)


def top_line(*, paused: bool) -> dict[str, str]:
    """The texts of components/top_line.js, which fills in {age} and {s} every second, {s}, {m} and {h} in an age, as `times.duration` does."""
    return {
        "age_s": _("{s}s"),
        "age_m": _("{m} min"),
        "age_h": _("{h}h {m}m"),
        "nothing": _("no data yet"),
        "old": _("{age} old"),
        "next": _("refreshes in {s}s"),
        "late": _("No update for {age}. Check the server, then reload."),
        "paused": _("paused") if paused else "",
    }


def percentile(choice: str) -> str:
    """A choice of percentile: "p95", or several at once."""
    return _("fan") if choice == "fan" else choice


def panel_title(name: str, *, percentiles: Sequence[str] = (), threshold: str = "") -> str:
    """`percentiles`: first the one that is compared."""
    percentile = percentiles[0] if percentiles else ""
    if len(percentiles) > 1:
        percentile = _("{percentile}, fan").format(percentile=percentile)
    return {
        "error_rate": _("Error rate"),
        "latency": _("Latency {percentile}").format(percentile=percentile),
        "slow": _("Slow responses > {threshold}").format(threshold=threshold),
        "requests": _("Requests per minute"),
    }[name]


def panel_explained(name: str) -> str:
    """What a chart shows, for its tooltip and its text alternative."""
    return {
        "error_rate": _(
            "(Target 5xx + no response) / requests, 5-minute window. No response: requests that reached a fleet and are missing from its status counts, up to "
            "the number of connection errors and ALB-generated 5xx. Grey, right axis: ALB-generated 5xx per minute, all target groups."
        ),
        "latency": _("Target response time of requests with a response. Low-sample percentiles are faint."),
        "slow": _("Share of responses slower than the threshold."),
        "requests": _("Requests routed to each fleet."),
        "own": str(OWN_EXPLAINED),
    }[name]


def alternative(title: str, explained: str, *, events_marked: int) -> str:
    """A chart's text alternative."""
    text = _("{title}. {explained} Latest values are above the chart.").format(title=title, explained=explained)
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
    return _("Error rate unknown (not 0%): {source} did not return its counts. See Data sources.").format(
        source=source_label
    )


def latency_unread(source_label: str) -> str:
    return _("{source} returned requests, but not all series. See Data sources.").format(source=source_label)


def unsupported_metric(source_label: str, metric: str, *, with_cloudwatch: bool) -> str:
    """`with_cloudwatch`: CloudWatch is configured, too."""
    alb_codes = _("{source} does not report 502, 503 and 504 separately.")
    return {
        "latency.p50": _("{source} does not report p50."),
        "latency.sample_count": _("{source} does not report the sample count of percentiles."),
        "latency.within": _("{source} does not report the share of slow responses. Choose CloudWatch.")
        if with_cloudwatch
        else _("{source} does not report the share of slow responses. CloudWatch does: add [aws] to migration.toml."),
        "connection_errors": _("{source} does not report connection errors."),
        "fail_open_requests": _("{source} does not report fail-open requests."),
        "alb_502": alb_codes,
        "alb_503": alb_codes,
        "alb_504": alb_codes,
    }.get(metric, _("{source} does not report {what}.")).format(source=source_label, what=metric)


def no_values(source_label: str) -> str:
    """For a chart without values in a window with requests."""
    return _("{source} has requests in this window, but no values for this chart.").format(source=source_label)


def no_rows_yet(source_label: str) -> str:
    return _("Loading from {source}…").format(source=source_label)


def reading(source_label: str, done: int, total: int) -> str:
    return _("Loading from {source}: {done} of {total} minutes.").format(source=source_label, done=done, total=total)


def no_rows_source_down(source_label: str) -> str:
    return _("{source} is unavailable; no stored data for this range. See Data sources.").format(source=source_label)


def resolution(period: str) -> str:
    return _("Resolution {period}.").format(period=period)


def resolutions(parts: Iterable[tuple[str, str]]) -> str:
    """`parts`: pairs of a period and the time to which it applies."""
    text = comma_list(_("{period} {when}").format(period=period, when=when) for period, when in parts)
    return _("Resolution {parts}.").format(parts=text)


def last_success(age: str) -> str:
    return _("last success {age}").format(age=age)


def elapsed(seconds: float) -> str:
    return times.run_time(seconds)


def open_graph(product: str) -> str:
    return _("Open this graph in {place}").format(place=product)


def open_in(product: str) -> str:
    return f"{product} ↗"


def configured_share(share: str) -> str:
    return _("{share} configured").format(share=share)


def observed_share(share: str) -> str:
    return _("{share} observed").format(share=share)


def no_weights(problem: str) -> str:
    return _("Weights unavailable. {problem}").format(problem=problem)


def weights_read(age: str) -> str:
    return _("Weights last read {age}").format(age=age)


def observed_only(shares: str) -> str:
    """The observed shares if the weights are unknown."""
    return _("Observed in the last two hours: {shares}.").format(shares=shares)


def silent_criterion(name: str, fleet: str, query: str) -> str:
    """A criterion of one's own without values of a fleet that is reporting, the metric, and the next step."""
    sentence = _("“{name}” has had no value of {fleet} for an hour, while {fleet} reports otherwise: {query}.").format(
        name=name, fleet=fleet, query=query
    )
    return f"{sentence} {SILENT_NEXT_STEP}"


def weights_not_recorded(planned: str) -> str:
    """Of a release. `planned`: "planned: 10% for 5 min, then 100%", or ""."""
    if not planned:
        return _("The weights of this release were not recorded.")
    return _("The weights of this release were not recorded ({planned}).").format(planned=planned)
