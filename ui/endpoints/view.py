"""The Endpoints page's view, worked out once for everybody who looks at the same window, and its parts in HTML."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import ALL, PERCENTILES, Endpoint, Side
from analysis.parity.verdicts import Judgement, Verdict
from charts.route_scatter import Dot
from domain import FLEETS, FleetName, Migration, Window
from domain.route_templates import OTHER
from messages import access_log_ingest as said
from messages import endpoints as words
from messages import numbers, verdicts
from services.endpoints import LOGS, Chosen, LogsJudged, RouteJudged, judge_logs, judge_route, last_day
from ui.app_context import House
from ui.endpoints.url import FILE_S, Address, link
from ui.url import written
from ui.verdicts import TONES

SHOWN = 50
MARKS: dict[FleetName, str] = {"baseline": "●", "canary": "◆"}


def version_of(here: House, window: Window, *, counting: bool, now: datetime) -> Hashable:
    """Another value when the routes of a window may be others; while its logs are being counted, when twice as many files are, and every minute."""
    if not counting:
        return here.archive.revision(LOGS)
    found = here.keeper.counting(window)
    return found.files_done.bit_length() if found else 0, int(now.timestamp()) // 60


@st.cache_resource(max_entries=12, ttl=timedelta(hours=1), show_spinner=False)
def logs_view(_here: House, window: Window, chosen: Chosen, version: Hashable) -> LogsJudged | None:
    """What the logs of a window say; None where none of them was counted. Raises ArchiveError."""
    return judge_logs(_here.archive, _here.migration, window, chosen)


@st.cache_resource(max_entries=24, ttl=timedelta(hours=1), show_spinner=False)
def route_view(_here: House, window: Window, name: str, chosen: Chosen, version: Hashable) -> RouteJudged:
    """A route's own page. Raises ArchiveError."""
    return judge_route(_here.archive, _here.migration, window, name, chosen)


def tally(told: LogsJudged) -> Mapping[Verdict, int]:
    return Counter(one.judgement.verdict for one in told.endpoints.routes)


def sentence(migration: Migration, told: LogsJudged, span: str) -> Markup:
    """The page in a sentence."""
    counted, fleets, total = tally(told), migration.fleets, told.endpoints.total
    tone: Verdict = (
        "regression"
        if counted.get("regression")
        else "parity"
        if not counted.keys() - {"parity", "improvement"}
        else "undecided"
        if told.endpoints.judged
        else "not enough data"
    )
    labels = fleets.baseline.label, fleets.canary.label
    requests = (total.sides[fleet].requests for fleet in FLEETS)
    return Markup("<p class='aloud' role='status'><b class='word {}'>{} {}</b>{} {}.</p>").format(
        TONES[tone],
        verdicts.SIGNS[tone],
        words.headline(counted, told.endpoints.judged),
        words.in_logs(span, *labels, *requests),
        words.tally(counted),
    )


def banner(migration: Migration, told: LogsJudged, parameters: Mapping[str, str], *, page: str = "") -> Markup:
    """That totals hide a route, plainly; nothing where they hide none."""
    hidden = told.endpoints.hidden
    if not hidden:
        return Markup("")
    fleets = migration.fleets
    names = [
        Markup("<a href='{}' target='_self'>{}</a>").format(page + link(parameters, one.route), one.route)
        for one in hidden
    ]
    shown = Markup(", ").join(names[: words.MOST_NAMED])
    worst = next(one for one in hidden[0].judgement.criteria if one.verdict == "regression")
    how = verdicts.sentence(worst, baseline=fleets.baseline.label, canary=fleets.canary.label)
    plainly = words.hidden(len(hidden), verdicts.label(told.endpoints.total.judgement.verdict))
    return Markup("<div class='trouble hides' role='alert'><b>{}</b> {}{}<br>{}</div>").format(
        plainly, shown, " …" if len(hidden) > words.MOST_NAMED else "", how
    )


def table(migration: Migration, told: LogsJudged, address: Address, parameters: Mapping[str, str]) -> Markup:
    """All of them together, then every route, the worst first."""
    head = words.table_head(status=address.chosen.status)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    routes = told.endpoints.routes if address.every else told.endpoints.routes[:SHOWN]
    rows = Markup("").join(_row(one, told, parameters, head) for one in (told.endpoints.total, *routes))
    legend = Markup("").join(
        Markup("<b class='{}'>{} {}</b>").format(fleet, MARKS[fleet], migration.fleets[fleet].label) for fleet in FLEETS
    )
    return Markup(
        "<div class='panel-head legend'>{}<span class='note'>{}</span></div><table class='routes'><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(legend, words.interval_explained(), cells, rows)


def _row(one: Endpoint, told: LogsJudged, parameters: Mapping[str, str], head: tuple[str, ...]) -> Markup:
    cells = [
        (head[1], _both(one, lambda side: (numbers.count(side.requests), ""))),
        (head[2], _both(one, _errors)),
        *((name, _both(one, partial(_percentile, name))) for name in PERCENTILES),
        (head[6], _verdict(one.judgement)),
        (head[7], Markup("{}").format(still_needed(one.judgement))),
    ]  # fmt: skip
    body = Markup("").join(Markup("<td data-head='{}'>{}</td>").format(name, cell) for name, cell in cells)
    return Markup("<tr{}><th scope='row'>{}</th>{}</tr>").format(
        Markup(" class='whole'") if one.route == ALL else "", _name(one.route, told, parameters), body
    )


def _name(route: str, told: LogsJudged, parameters: Mapping[str, str]) -> Markup:
    if route == ALL:
        return Markup("{}").format(words.total())
    if route == OTHER and told.endpoints.folded:
        return Markup("{}").format(words.other(told.endpoints.folded))
    return Markup("<a href='{}' target='_self'>{}</a>").format(link(parameters, route), route)


def _both(one: Endpoint, say: Callable[[Side], tuple[str, str]]) -> Markup:
    """A cell with a line for each fleet."""
    lines = []
    for fleet in FLEETS:
        text, small = say(one.sides[fleet])
        lines.append(
            Markup("<span><i class='{}' aria-hidden='true'>{}</i>{}{}</span>").format(
                fleet, MARKS[fleet], text, Markup(" <small>{}</small>").format(small) if small else ""
            )
        )
    return Markup("").join(lines)


def _errors(side: Side) -> tuple[str, str]:
    return numbers.percent(side.error_rate), words.numerator(side.errors) if side.requests else ""


def _percentile(name: str, side: Side) -> tuple[str, str]:
    found = side.percentiles[name]
    return (
        (numbers.milliseconds(found.value_s), words.interval(found.low_s, found.high_s))
        if found
        else (numbers.NONE, "")
    )


def _verdict(judgement: Judgement) -> Markup:
    """A sign and a word, and below it the criteria that it hangs on; all of them for whoever points at it."""
    small = words.hangs_on(judgement)
    every = "\n".join(
        f"{verdicts.SIGNS[one.verdict]} {words.by(verdicts.metric(one.criterion), verdicts.interval(one))}"
        for one in judgement.criteria
    )
    return Markup("<b class='{}' title='{}'>{} {}</b>{}").format(
        TONES[judgement.verdict],
        every,
        verdicts.SIGNS[judgement.verdict],
        verdicts.label(judgement.verdict),
        Markup("<small>{}</small>").format(small) if small else "",
    )


def still_needed(judgement: Judgement) -> str:
    """How much longer it takes until a route is decided; "–" where it is, or nobody can tell."""
    if judgement.verdict not in ("undecided", "not enough data"):
        return numbers.NONE
    deciding = verdicts.deciding(judgement)
    waits = [one.minutes_to_decision for one in deciding if one.minutes_to_decision != 0]
    if judgement.verdict == "not enough data" and not any(waits):
        return numbers.NONE
    known = [minutes for minutes in waits if minutes is not None]
    return verdicts.to_decision(max(known) if waits and len(known) == len(waits) else None)


def dots(told: LogsJudged, shown: str) -> list[Dot]:
    """Every route that can be drawn: `shown` is "errors" (in pp) or "p95" (in % of the baseline's)."""
    found = []
    for one in told.endpoints.routes:
        difference = _difference(one, shown)
        if difference is None:
            continue
        b, c = (one.sides[fleet] for fleet in FLEETS)
        said_of = numbers.points(difference / 100) if shown == "errors" else numbers.relative(difference / 100)
        hover = words.map_hover(said_of, verdicts.label(one.judgement.verdict), b.requests, c.requests)
        found.append(Dot(one.route, one.requests / max(told.minutes, 1), difference, one.judgement.verdict, hover))
    return found


def _difference(one: Endpoint, shown: str) -> float | None:
    if shown == "errors":
        return None if one.error_difference is None else one.error_difference * 100
    b, c = (one.sides[fleet].percentiles["p95"] for fleet in FLEETS)
    return None if b is None or c is None or not b.value_s else (c.value_s / b.value_s - 1) * 100


def summary(here: House, window: Window) -> Markup:
    """What the logs say of a phase (of its last day), for a page about something else: a line, what totals hide, and the way there."""
    whole = last_day(Window(window.start, max(window.end // FILE_S * FILE_S, window.start + FILE_S)))
    told = logs_view(here, whole, Chosen(), here.archive.revision(LOGS))
    parameters = {"from": written(whole.start), "to": written(whole.end)}
    way = Markup("<a href='endpoints?{}' target='_self'>{}</a>").format(urlencode(parameters), words.summary_link())
    if told is None:
        body = Markup("<p class='note'>{} {}</p>").format(words.summary_none(), way)
    else:
        said_of = words.summary(tally(told), told.minutes, told.lines.parsed)
        body = Markup("<p>{} {}</p>{}").format(said_of, way, banner(here.migration, told, parameters, page="endpoints"))
    return Markup("<section class='below'><h2>{}</h2>{}</section>").format(words.summary_title(), body)


def reading(told: LogsJudged) -> Markup:
    """How the reading of the logs went, what was left out of it, and what stands behind the alarms."""
    found = told.lines
    every = [said.lines(found.read, found.parsed, found.files, told.minutes)]
    every += [said.file_problem(kind, n) + "." for kind, n in found.problems]
    every += [words.elsewhere(told.endpoints.elsewhere)] if told.endpoints.elsewhere else []
    every += [words.corrected(told.endpoints.judged)]
    return Markup("<p class='note'>{}</p>").format(" ".join(every))
