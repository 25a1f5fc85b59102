"""What the Endpoints page says."""

from collections.abc import Mapping

from analysis.parity.verdicts import VERDICTS, Judgement, Verdict
from messages import numbers, times, verdicts
from messages.i18n import _, ngettext

ENDPOINTS_TITLE = _("Endpoints")
MOST_NAMED = 3


def in_logs(span: str, baseline: str, canary: str, b: int, c: int) -> str:
    """What was judged: "In the last 24 h, 5.2 M requests on EC2 and 5.3 M on ECS"."""
    return _("{span}: {b} requests on {baseline} and {c} on {canary}.").format(
        span=span[:1].upper() + span[1:], b=numbers.count(b), c=numbers.count(c), baseline=baseline, canary=canary
    )


def span_of(choice: str, span: str) -> str:
    """The window in words: "in the last 24 h", "22 Nov 13:10–15:40 JST"."""
    return _("in the last {window}").format(window=choice) if choice else span


def headline(tally: Mapping[Verdict, int], judged: int) -> str:
    """The page in half a sentence: "1 of 14 routes regresses", "All 14 routes at parity"."""
    whole = sum(tally.values())
    if bad := tally.get("regression", 0):
        return ngettext("{bad} of {whole} routes regresses", "{bad} of {whole} routes regress", bad).format(
            bad=numbers.count(bad), whole=numbers.count(whole)
        )
    good = tally.get("parity", 0) + tally.get("improvement", 0)
    if good == whole:
        return ngettext("The one route is at parity", "All {whole} routes are at parity", whole).format(
            whole=numbers.count(whole)
        )
    if not judged:
        return _("Not enough data yet on any route")
    return _("No route regresses; {open} of {whole} not decided").format(
        open=numbers.count(whole - good), whole=numbers.count(whole)
    )


def tally(found: Mapping[Verdict, int]) -> str:
    """How many routes have which verdict: "1 regression, 11 parity, 2 undecided"."""
    return ", ".join(
        _("{n} {verdict}").format(n=numbers.count(found[one]), verdict=verdicts.label(one))
        for one in VERDICTS
        if found.get(one)
    )


def hidden(routes: int, total: str) -> str:
    """Simpson's paradox, plainly; the routes' names follow."""
    return ngettext(
        "The totals hide it. All routes together: {total}. A regression on one route:",
        "The totals hide it. All routes together: {total}. A regression on {n} routes:",
        routes,
    ).format(total=total, n=numbers.count(routes))


def total() -> str:
    return _("all routes together")


def other(folded: int) -> str:
    return _("all others, {folded} routes").format(folded=numbers.count(folded))


def share(status: int | None) -> str:
    return _("error rate") if status is None else _("share of {status}xx").format(status=status)


def table_head(*, status: int | None) -> tuple[str, ...]:
    return (_("route"), _("requests"), share(status), "p50", "p95", "p99", _("verdict"), _("still needed"))


def numerator(errors: int) -> str:
    return _("{n} of them").format(n=numbers.count(errors))


def by(metric: str, interval: str) -> str:
    """What a verdict hangs on: "error rate +0.9 pp … +1.2 pp"."""
    return f"{metric} {interval}"


def hangs_on(judgement: Judgement) -> str:
    """What a verdict hangs on, in a few words: the criteria with their intervals, or why nothing is decided; "" at parity."""
    mine = [one for one in judgement.criteria if one.verdict == judgement.verdict]
    if judgement.verdict in ("regression", "improvement"):
        return "; ".join(by(verdicts.metric(one.criterion), verdicts.interval(one)) for one in mine)
    return "" if judgement.verdict == "parity" or not mine else verdicts.reason(mine[0])


def paper_head() -> tuple[str, ...]:
    return _("route"), "", _("requests"), _("error rate"), "p95", _("verdict")


def rest(n: int) -> str:
    return ngettext("And {n} more route.", "And {n} more routes.", n).format(n=numbers.count(n))


def interval(low_s: float | None, high_s: float | None) -> str:
    """Where a percentile surely lies: "271 ms … 299 ms"; an end that so few answers cannot bound is open."""
    return f"{numbers.milliseconds(low_s)} … {numbers.milliseconds(high_s)}"


def interval_explained() -> str:
    return _("Small: where the true percentile lies with 95 %. A dash: so few answers do not bound it.")


def elsewhere(n: int) -> str:
    return _("{n} requests went to neither fleet.").format(n=numbers.count(n))


def corrected(judged: int) -> str:
    """What stands behind the alarms."""
    of_them = ngettext(
        "{n} route had requests on both sides in at least ten minutes and was judged.",
        "{n} routes had requests on both sides in at least ten minutes and were judged.",
        judged,
    ).format(n=numbers.count(judged))
    return f"{of_them} {_('Alarms are corrected for all of them: the chance that any is false is at most 5 %.')}"


def map_title() -> str:
    return _("All routes at a glance")


def map_explained() -> str:
    return _("Each route by its traffic and by how much worse ECS is. What stands far from zero is the outlier.")


def map_choice(choice: str, *, status: int | None) -> str:
    return share(status) if choice == "errors" else "p95"


def map_choice_label() -> str:
    return _("What the map shows")


def map_traffic() -> str:
    return _("requests a minute, both fleets")


def map_axis(choice: str, baseline: str, canary: str, *, status: int | None) -> str:
    unit = "pp" if choice == "errors" else "%"
    what = _("{metric} in {unit}").format(metric=map_choice(choice, status=status), unit=unit)
    return f"{canary} − {baseline}, {what}"


def map_hover(difference: str, verdict: str, b: int, c: int) -> str:
    return _("{difference} · {verdict} · {b} and {c} requests").format(
        difference=difference, verdict=verdict, b=numbers.count(b), c=numbers.count(c)
    )


def map_alternative(routes: int, worst: str, difference: str) -> str:
    """The map for whoever does not see it."""
    return _("{n} routes by traffic and difference. Furthest from zero: {worst}, {difference}.").format(
        n=numbers.count(routes), worst=worst, difference=difference
    )


def nothing_on_map() -> str:
    return _("No route has enough answers on both sides to be drawn.")


def show_all(n: int) -> str:
    return _("Show all {n} routes").format(n=numbers.count(n))


def show_worst(n: int) -> str:
    return _("Show the worst {n}").format(n=numbers.count(n))


def all_routes() -> str:
    return _("All routes")


def no_such_route(name: str) -> str:
    return _("In this window there is no route “{name}”; here are those that there are.").format(name=name)


def judging() -> str:
    return _("Judging every route …")


def nothing_chosen() -> str:
    return _("No requests fit what was chosen above.")


# ---- filters


def window_label() -> str:
    return _("Window")


def window(choice: str) -> str:
    return _("phase") if choice == "phase" else choice


def method_label() -> str:
    return _("Method")


def method(name: str) -> str:
    return name or _("all methods")


def host_label() -> str:
    return _("Host")


def host(name: str) -> str:
    return name or _("all hosts")


def status_label() -> str:
    return _("Status class")


def status(name: str) -> str:
    return name or _("all status codes")


def of_status(status: int, *, rate: bool) -> str:
    """What a class of status codes, chosen as a filter, means for the numbers."""
    first = _("Times are of {status}xx answers alone; the share is that of {status}xx among all requests.").format(
        status=status
    )
    last = (
        _("Judged as errors are.") if rate else _("It is not judged: nobody can say whether more of them are better.")
    )
    return f"{first} {last}"


def address_trouble() -> str:
    return _("Something in the address made no sense and was left out.")


# ---- on other pages


def summary_title() -> str:
    return _("Route by route")


def summary(found: Mapping[Verdict, int], minutes: int, parsed: int) -> str:
    """The one line that the Parity page and the evidence file have."""
    return _("{n} routes in the access logs of {length} ({lines} lines): {tally}.").format(
        n=numbers.count(sum(found.values())),
        length=times.duration(minutes * 60),
        lines=numbers.count(parsed),
        tally=tally(found),
    )


def summary_none() -> str:
    return _(
        "No access logs were counted for this phase, so nothing can be said about single routes: "
        "totals may agree while one of them is broken."
    )


def summary_link() -> str:
    return _("Endpoints of this phase")
