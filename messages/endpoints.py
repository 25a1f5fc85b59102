"""Messages of the Endpoints page."""

from collections.abc import Mapping, Sequence

from analysis.parity.verdicts import VERDICTS, Judgement, Verdict
from analysis.series.quantiles import Percentile
from domain import FleetName
from messages import numbers, times, verdicts
from messages.i18n import _, comma_list, full_stop, lazy, lazy_pgettext, plural

ENDPOINTS_TITLE = lazy("Endpoints")
MAX_NAMED = 3
TOTAL = lazy("aggregate")
SUMMARY_HEAD = (lazy("route"), "", lazy("requests"), lazy("error rate"), "p95", lazy("verdict"))
SEARCH_LABEL = lazy("Search routes")
VERDICT_LABEL = lazy("Verdict")
CSV_LABEL = "CSV"
CSV_EXPLAINED = lazy("The routes of the table, with p50, p95 and p99, as a CSV file.")
NO_ROUTES_SHOWN = lazy("No route matches the search and the verdict.")
SHOW_ALL_ROUTES = lazy("Show all routes")
COPIED = lazy("Copied")
MAP_TITLE = lazy("All routes at a glance")
MAP_EXPLAINED = lazy("Routes by traffic and difference. Outliers are far from zero.")
MAP_CHOICE_LABEL = lazy("Metric on the map")
MAP_TRAFFIC = lazy("requests per minute, both fleets")
NOT_JUDGED = lazy("not judged")
NOTHING_ON_MAP = lazy("No route has enough responses on both fleets to be drawn.")
ALL_ROUTES = lazy("All routes")
JUDGING = lazy("Judging every route …")
NO_MATCHING_REQUESTS = lazy("No requests match the filters.")
WINDOW_LABEL = lazy("Window")
METHOD_LABEL = lazy_pgettext("HTTP", "Method")
HOST_LABEL = lazy("Host")
STATUS_LABEL = lazy("Status class")
INVALID_PARAMS = lazy("Invalid URL parameter ignored.")
RANGE_CLIPPED = lazy("Range in the URL clipped to its last 14 days, without future times.")
PREVIOUS_ROUTES = lazy("Previous routes")
NEXT_ROUTES = lazy("Next routes")
SUMMARY_TITLE = lazy("Route by route")
SUMMARY_PENDING = lazy("Judging routes …")
NO_SUMMARY = lazy(
    "No access logs processed for this phase: routes are not judged one by one, and the aggregate can hide a regression on one of them."
)
SUMMARY_LINK = lazy("Endpoints of this phase")


def requests_judged(span: str, baseline: str, canary: str, baseline_requests: int, canary_requests: int) -> str:
    """ "In the last 24h: 5.2M requests on EC2 and 5.3M on ECS."."""
    return _("{span}: {b} requests on {baseline} and {c} on {canary}.").format(
        span=span[:1].upper() + span[1:],
        b=numbers.count(baseline_requests),
        c=numbers.count(canary_requests),
        baseline=baseline,
        canary=canary,
    )


def window_text(choice: str, span: str) -> str:
    """ "in the last 24h", "22 Nov 13:10–15:40 JST"."""
    return _("in the last {window}").format(window=choice) if choice else span


def headline(counts: Mapping[Verdict, int], n_judged: int) -> str:
    """ "1 of 14 routes regressed", "All 14 routes are at parity"."""
    total = sum(counts.values())
    if regressions := counts.get("regression", 0):
        return _("{n} of {total} routes regressed").format(n=numbers.count(regressions), total=numbers.count(total))
    good = counts.get("parity", 0) + counts.get("improvement", 0)
    if good == total:
        return plural("The only route is at parity", "All {n} routes are at parity", total)
    if not n_judged:
        return _("Insufficient data on all routes")
    return _("No regressions; {open} of {total} inconclusive").format(
        open=numbers.count(total - good), total=numbers.count(total)
    )


def requests_and_tally(requests: str, counts: Mapping[Verdict, int]) -> str:
    """`requests_judged`, and the tally as a sentence."""
    return f"{requests} {full_stop(tally(counts))}"


def tally(counts: Mapping[Verdict, int]) -> str:
    """ "1 regression, 11 parity, 2 inconclusive"."""
    return comma_list(
        _("{n} {verdict}").format(n=numbers.count(counts[verdict]), verdict=verdicts.label(verdict))
        for verdict in VERDICTS
        if counts.get(verdict)
    )


def hidden_regressions(routes: int, total: str) -> str:
    """Simpson's paradox; the routes' names follow."""
    return plural(
        "Aggregate: {total}, but 1 route regressed:",
        "Aggregate: {total}, but {n} routes regressed:",
        routes,
        total=total,
    )


def other_routes(n: int) -> str:
    return _("all others, {folded} routes").format(folded=numbers.count(n))


def share(status: int | None) -> str:
    return _("error rate") if status is None else _("share of {status}xx").format(status=status)


def table_head(labels: Mapping[FleetName, str], *, status: int | None) -> tuple[str, ...]:
    return (
        _("Route"),
        _("Requests"),
        _("{metric} {baseline} → {canary}").format(
            metric=_capitalized(share(status)), baseline=labels["baseline"], canary=labels["canary"]
        ),
        _("Difference (95% CI)"),
        _("p95 difference"),
        _("Error rate over time"),
        _("Verdict"),
    )


def table_note(labels: Mapping[FleetName, str]) -> str:
    text = _("Differences: {canary} − {baseline}. CI: anytime-valid, over the margin in grey. “–”: too few samples.")
    return text.format(baseline=labels["baseline"], canary=labels["canary"])


def _capitalized(label: str) -> str:
    return label[:1].upper() + label[1:]


def of_fleet(label: str, requests: int) -> str:
    return _("{fleet}: {n}").format(fleet=label, n=numbers.count(requests))


def error_counts(baseline: int, canary: int) -> str:
    return f"{numbers.count(baseline)} → {numbers.count(canary)}"


def p95_values(baseline: Percentile | None, canary: Percentile | None) -> str:
    if baseline is None and canary is None:
        return ""
    return " → ".join(numbers.milliseconds(value.value_s if value else None) for value in (baseline, canary))


def trend_alternative(labels: Mapping[FleetName, str], trend: Mapping[FleetName, Sequence[float | None]]) -> str:
    """ "Highest error rate: EC2 0.4%, ECS 3%"."""
    highest = (
        f"{labels[fleet]} {numbers.percent(max((value for value in values if value is not None), default=None))}"
        for fleet, values in trend.items()
    )
    return _("Highest error rate: {fleets}").format(fleets=", ".join(highest))


def verdict_filter(name: str, counts: Mapping[Verdict, int]) -> str:
    """ "▲ regression 1"; for "": "all 13"."""
    verdict = next((verdict for verdict in VERDICTS if verdict == name), None)
    if verdict is None:
        return _("all {n}").format(n=numbers.count(sum(counts.values())))
    return f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)} {numbers.count(counts.get(verdict, 0))}"


def metric_interval(metric: str, interval: str) -> str:
    """ "error rate +0.9 pp … +1.2 pp"."""
    return f"{metric} {interval}"


def deciding_metrics(judgement: Judgement, labels: Mapping[FleetName, str]) -> str:
    """The criteria with the overall verdict and their CIs, or the reason why nothing is decided; "" at parity."""
    results = [result for result in judgement.criteria if result.verdict == judgement.verdict]
    if judgement.verdict in ("regression", "improvement"):
        return "; ".join(metric_interval(verdicts.metric(r.criterion), verdicts.interval(r)) for r in results)
    return "" if judgement.verdict == "parity" or not results else verdicts.reason(results[0], labels)


def more_routes(n: int) -> str:
    return plural("And {n} more route.", "And {n} more routes.", n)


def interval(low_s: float | None, high_s: float | None) -> str:
    """The CI of a percentile, "271 ms … 299 ms"; "–" for a bound that cannot be estimated."""
    return numbers.interval(numbers.milliseconds(low_s), numbers.milliseconds(high_s))


def unassigned_requests(n: int) -> str:
    return _("{n} requests to unassigned target groups.").format(n=numbers.count(n))


def multiplicity_note(n_judged: int) -> str:
    """The number of comparisons, for which the alarms are corrected."""
    judged = plural(
        "{n} route judged, with requests on both fleets in ≥ 10 minutes.",
        "{n} routes judged, with requests on both fleets in ≥ 10 minutes.",
        n_judged,
    )
    return f"{judged} {_('Alarms are corrected for multiple comparisons (family-wise error rate ≤ 5%).')}"


def map_choice(choice: str, *, status: int | None) -> str:
    return share(status) if choice == "errors" else "p95"


def map_axis(choice: str, baseline: str, canary: str, *, status: int | None) -> str:
    unit = "pp" if choice == "errors" else "%"
    metric = _("{metric} in {unit}").format(metric=map_choice(choice, status=status), unit=unit)
    return f"{canary} − {baseline}, {metric}"


def map_hover(difference: str, verdict: str, baseline_requests: int, canary_requests: int) -> str:
    return _("{difference} · {verdict} · {b} and {c} requests").format(
        difference=difference, verdict=verdict, b=numbers.count(baseline_requests), c=numbers.count(canary_requests)
    )


def map_alternative(routes: int, worst: str, difference: str) -> str:
    """The text alternative of the map."""
    return _("{n} routes by traffic and difference. Furthest from zero: {worst}, {difference}.").format(
        n=numbers.count(routes), worst=worst, difference=difference
    )


def routes_shown(first: int, last: int, n: int) -> str:
    return _("Routes {first}–{last} of {n}, worst first").format(
        first=numbers.count(first), last=numbers.count(last), n=numbers.count(n)
    )


def map_limited(shown: int, n: int) -> str:
    return _("Worst {shown} of {n} routes shown.").format(shown=numbers.count(shown), n=numbers.count(n))


def no_such_route(name: str) -> str:
    return _("No route “{name}” in this window; showing all routes.").format(name=name)


def window(choice: str) -> str:
    return _("phase") if choice == "phase" else choice


def method(name: str) -> str:
    return name or _("all methods")


def host(name: str) -> str:
    return name or _("all hosts")


def status(name: str) -> str:
    return name or _("all status codes")


def status_filter_note(status: int, *, judged: bool) -> str:
    """What a status class filter means for the numbers."""
    meaning = _("Latency of {status}xx responses only; share of {status}xx among all requests.")
    not_judged = _("Not judged: neither more nor fewer is better.")
    return f"{meaning.format(status=status)} {_('Judged like errors.') if judged else not_judged}"


def not_counted(counts: Mapping[FleetName, Mapping[int, int]], labels: Mapping[FleetName, str]) -> str:
    """The WebSocket upgrades and cancelled requests of both fleets; "" if there are none."""
    if not any(any(by_status.values()) for by_status in counts.values()):
        return ""
    fleets = (
        _("{label} {upgrades} and {cancelled}").format(
            label=labels[fleet],
            upgrades=numbers.count(by_status.get(101, 0)),
            cancelled=numbers.count(by_status.get(460, 0)),
        )
        for fleet, by_status in counts.items()
    )
    return _("WebSocket upgrades (101) and client disconnects (460), not errors: {fleets}.").format(
        fleets=" · ".join(fleets)
    )


def summary(counts: Mapping[Verdict, int], minutes: int, parsed: int) -> str:
    """The summary on the Parity page and in the evidence file."""
    return _("{n} routes in the access logs of {length} ({lines} lines): {tally}.").format(
        n=numbers.count(sum(counts.values())),
        length=times.duration(minutes * 60),
        lines=numbers.count(parsed),
        tally=tally(counts),
    )
