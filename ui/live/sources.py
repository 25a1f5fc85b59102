"""The sources behind the Live page, and the queries that they were asked."""

from datetime import datetime

import streamlit as st

from archive import MetricsResult
from domain import Migration, Window
from messages import frame, states, times
from messages import live as text
from messages.errors import sources
from reports.templating import render
from services.channels import archived_reports
from ui.app_context import AppContext
from ui.live.links import console_queries
from ui.sources import SourceLine, channel_line, source_line, sources_table


def sources_section(app: AppContext, source: str, result: MetricsResult, now: datetime) -> None:
    """One line per source; the archive, if it cannot be written; and what `source` does not provide."""
    known = [state for state in app.source_states() if state.source not in app.batch_source_names]
    lines: list[SourceLine] = [source_line(state, now) for state in known]
    names = [metrics.name for metrics in (*app.sources.metrics, *app.sources.criteria)] + [
        events.name for events in app.sources.events
    ]
    names += [app.sources.traffic.name] if app.sources.traffic else []
    for name in dict.fromkeys(names):
        if name not in {state.source for state in known}:
            lines.append(
                (states.source_name(name), "warn", str(text.AWAITING_FIRST_ANSWER), str(text.NEVER_SUCCEEDED), ())
            )
    if problem := result.archive_problem or app.collector.problem:
        message = sources.format_archive_problem(problem.kind, problem.detail)
        lines.append((states.source_name("archive"), "bad", str(states.STATE_LABELS["down"]), "", [message]))
    lines += [channel_line(report, now) for report in archived_reports(app.archive, app.migration, now)]
    unsupported = (
        text.unsupported_metric(states.source_name(source), metric, with_cloudwatch="cloudwatch" in app.source_names)
        for metric in app.metric_source(source).unsupported_metrics()
    )
    note = " ".join([_resolution(app.migration, result, now), *dict.fromkeys(unsupported)])
    # The label is the element's identity: it is open again when the number changes.
    n_ok = sum(css == "good" for _name, css, *_rest in lines)
    is_fine = all(css in ("good", "note") for _name, css, *_rest in lines)
    with st.expander(frame.sources_ok(n_ok, len(lines)), expanded=not is_fine):
        st.html(sources_table("", lines, note))


def _resolution(migration: Migration, result: MetricsResult, now: datetime) -> str:
    """The period of the data; with several periods, each with its part of the window."""
    periods = result.periods
    if len({period_s for _, period_s in periods}) < 2:
        return " ".join(text.resolution(times.duration(period_s)) for _, period_s in periods[:1])
    return text.resolutions(
        (times.duration(period_s), times.span(part.starts_at, part.ends_at, migration.zone, now=now))
        for part, period_s in periods
    )


def queries_section(app: AppContext, source: str, window: Window) -> None:
    """The CloudWatch queries with links to the console; built only while the section is open."""
    if source != "cloudwatch":
        return
    expander = st.expander(str(text.QUERIES_TITLE), key="queries", on_change="rerun")
    if expander.open:
        rows = [(series.target_group, query, link) for series, query, link in console_queries(app.migration, window)]
        with expander:
            st.html(render("live.queries", rows=rows))
