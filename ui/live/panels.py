"""The heads of the charts on the Live page, and why a chart is empty."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import Literal
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from analysis import NOTABLE_SHARE, Quantity
from analysis.series.fleet_requests import worst_state
from archive import ArchiveError
from domain import FLEETS, Criterion, FleetName, Migration
from domain.series import FAN_PERCENTILES, PERCENTILES
from domain.window import MINUTE_S
from messages import charts, fleet_requests, numbers, states, times, verdicts
from messages import live as text
from reports.templating import render
from services.freshness import max_data_age_s
from services.live import PanelData, PanelName
from sources.base import SERIES_PROBLEMS
from ui import layout
from ui.app_context import AppContext
from ui.controls import query_params
from ui.live.links import chart_link
from ui.live.view import LiveView
from ui.url import LiveParams, format_time

Value = tuple[str, str, str]  # CSS class, text, tooltip


def panel_head(app: AppContext, params: LiveParams, view: LiveView, name: PanelName, *, slow_s: float) -> None:
    """A chart's title, the newest final values, and a link to the same graph in the source's console."""
    migration, window, percentiles = app.migration, view.data.window, drawn_percentiles(app, params)
    st.html(
        render(
            "live.panel_head",
            name=name,
            title=text.panel_title(name, percentiles=percentiles, threshold=numbers.threshold(slow_s)),
            values=[*_values(migration, name, view.data.panels[name]), *_time(migration, params.source, view, name)],
            link=chart_link(migration, params.source, name, window, percentiles=percentiles, slow_s=slow_s),
            product=states.source_name(params.source),
            note=text.SEVERAL_GROUPS if name == "latency" and view.data.panels[name].multi_group else "",
        )
    )


def own_panel_head(app: AppContext, view: LiveView, criterion: Criterion) -> None:
    """The name of a criterion of one's own, the newest final values, and how it is judged."""
    panel = view.data.own[criterion.name]
    st.html(
        render(
            "live.panel_head",
            name="own",
            title=criterion.name,
            values=[*_values(app.migration, "own", panel)],
            link="",
            product="",
            note=verdicts.method_of(criterion),
        )
    )


def _values(migration: Migration, name: PanelName | Literal["own"], panel: PanelData) -> Iterator[Value]:
    """Both fleets' values and their difference; beside the error rate, requests without a response and the load balancer's own 5xx."""
    latest, quantity = panel.latest, panel.comparison.quantity
    if latest is None:
        return
    for fleet in FLEETS:
        value = f"{migration.fleets[fleet].label} {format_value(quantity, getattr(latest, fleet))}"
        yield ("note", f"{value} ?", str(text.LOW_SAMPLE)) if fleet in latest.low_sample else (fleet, value, "")
    if quantity != "count":
        yield _difference(panel)
    if name != "error_rate":
        return
    shares = _shares(panel, "unanswered")
    yield "bad" if _is_notable(shares) else "note", text.unanswered(_listed(migration, shares)), ""
    unexplained = _shares(panel, "unexplained")
    if _is_notable(unexplained):
        yield "note", text.unexplained(_listed(migration, unexplained)), str(text.UNEXPLAINED)
    if panel.alb_5xx is None and _is_notable(shares):
        yield "note", str(text.ALB_5XX_UNKNOWN), str(text.ALB_5XX_UNKNOWN_EXPLAINED)
    elif panel.alb_5xx and panel.alb_5xx >= NOTABLE_SHARE * panel.requests_per_minute:
        yield "warn", text.alb_5xx(numbers.per_minute(panel.alb_5xx)), str(text.ALB_5XX_EXPLAINED)


def _difference(panel: PanelData) -> Value:
    """The judge's newest estimate, as in the hero; without one, the difference of the newest values."""
    estimate, latest = panel.estimate, panel.latest
    format_difference = {"rate": numbers.points, "value": numbers.signed_value}.get(
        panel.comparison.quantity, numbers.signed_milliseconds
    )
    if estimate is None or not isfinite(estimate.lower[-1]):
        return "", format_difference(latest.difference if latest else None), ""
    newest, *bounds = (format_difference(values[-1]) for values in (estimate.estimate, estimate.lower, estimate.upper))
    return "", charts.estimate_in_head(newest), charts.estimate_explained(*bounds)


def _shares(panel: PanelData, component: str) -> dict[FleetName, float | None]:
    values = panel.components.get(component)
    return {fleet: getattr(values, fleet) if values else None for fleet in FLEETS}


def _is_notable(shares: Mapping[FleetName, float | None]) -> bool:
    return any(share is not None and share >= NOTABLE_SHARE for share in shares.values())


def _listed(migration: Migration, shares: Mapping[FleetName, float | None]) -> str:
    return " · ".join(f"{migration.fleets[fleet].label} {numbers.percent(share)}" for fleet, share in shares.items())


def _time(migration: Migration, source: str, view: LiveView, name: PanelName) -> Iterator[Value]:
    """The time of the newest values, marked if it is old for the window."""
    panel, window = view.data.panels[name], view.data.window
    if panel.latest:
        start, end = panel.latest.start, panel.latest.end
        period_s = next((period_s for part, period_s in view.data.result.periods if part.start < end <= part.end), 60)
        # Without the time zone, which is on the axis: the head shares its line with a control.
        clock = layout.format_clock(end - period_s, migration, window.ends_at).rpartition(" ")[0]
        if end - start > period_s:
            clock = text.pooled_span(times.duration(end - start), clock)
        is_old = window.end - end > max_data_age_s(migration, source) + 2 * period_s
        yield "warn" if is_old else "note", clock, ""


def format_value(quantity: Quantity, value: float | None) -> str:
    """A value with its unit."""
    formats = {
        "rate": numbers.percent,
        "latency": numbers.milliseconds,
        "count": numbers.count,
        "value": numbers.plain_value,
    }
    return formats[quantity](value)


def supported_percentiles(app: AppContext, source: str) -> list[str]:
    unsupported = app.metric_source(source).unsupported_metrics()
    return [percentile for percentile in PERCENTILES if f"latency.{percentile}" not in unsupported]


def drawn_percentiles(app: AppContext, params: LiveParams) -> tuple[str, ...]:
    """The chosen percentile; in a fan, then the others that the source supports."""
    others = {*FAN_PERCENTILES} & {*supported_percentiles(app, params.source)} if params.fan else set()
    return (params.percentile, *sorted(others - {params.percentile}))


def last_known_link(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    """If the archive ends before the window: a link to its last data; none while the archive cannot be read, which the page says."""
    window = view.data.window
    try:
        latest = app.archive.metrics.latest_ts(params.source)
    except ArchiveError:
        return
    if latest is None or latest >= window.start:
        return
    sentence, label = text.last_known(layout.format_clock(latest, app.migration, now), layout.format_ago(latest, now))
    until = latest // MINUTE_S * MINUTE_S + MINUTE_S
    query = {name: value for name, value in query_params().items() if name != "window"}
    query |= {"from": format_time(until - window.minutes * MINUTE_S), "to": format_time(until)}
    layout.note(Markup("{} <a href='?{}' target='_self'>{}</a>").format(sentence, urlencode(query), label))


def empty_panel(app: AppContext, params: LiveParams, view: LiveView, name: PanelName) -> None:
    """A placeholder that says why the chart is empty."""
    layout.empty_state(
        _unsupported(app, params, name)
        or _unanswered(params.source, view, name)
        or _why_empty(app, params.source, view, name)
    )


def _unsupported(app: AppContext, params: LiveParams, name: PanelName) -> str:
    unsupported = app.metric_source(params.source).unsupported_metrics()
    metric = {"slow": "latency.within", "latency": f"latency.{params.percentile}"}.get(name)
    if metric not in unsupported:
        return ""
    label = states.source_name(params.source)
    return text.unsupported_metric(label, metric, with_cloudwatch="cloudwatch" in app.source_names)


def _unanswered(source: str, view: LiveView, name: PanelName) -> str:
    """If the source answered for requests, and failed for some series: its percentiles and shares are unknown."""
    result = view.data.result
    failed = any(problem.kind in SERIES_PROBLEMS for problem in result.problems)
    if name not in ("latency", "slow") or result.frame.empty or not failed:
        return ""
    return text.latency_unread(states.source_name(source))


def missing_requests_note(app: AppContext, view: LiveView) -> None:
    """Why a fleet has no requests in the charts; nothing while the empty charts themselves say that it is not known."""
    missing = view.data.missing
    if not missing or (view.empty and worst_state(missing) in ("unknown", "not_asked", "not_yet")):
        return
    layout.warning(fleet_requests.missing_explained(missing, app.migration.labels))


def no_last_week_note(app: AppContext, view: LiveView) -> None:
    """Why no chart has the line of last week that was asked for."""
    last_week = view.last_week
    if last_week is None or last_week.lines or view.empty:
        return
    window, zone = last_week.window, app.migration.zone
    span = times.span(window.starts_at, window.ends_at, zone, now=view.data.window.ends_at)
    layout.note(text.no_last_week(span, is_missing=last_week.is_missing))


def _why_empty(app: AppContext, source: str, view: LiveView, name: PanelName) -> str:
    result, missing, label = view.data.result, view.data.missing, states.source_name(source)
    if name == "error_rate" and not result.frame.empty and result.unknown:
        return text.errors_unread(label)
    state = worst_state(missing) if missing else None
    is_down = any(
        item.source == source and item.state in ("denied", "down", "throttled") for item in app.source_states()
    )
    if state == "unknown" or (state == "not_asked" and is_down):
        return text.no_rows_source_down(label)
    if state == "not_asked":
        progress = app.collector.progress(source)
        return text.reading(label, *progress) if progress else text.no_rows_yet(label)
    return fleet_requests.missing(missing, app.migration.labels) if missing else text.no_values(label)
