"""The evidence file: what was judged and how, for a person who was not there, with the numbers to check it by."""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from platform import python_version

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import analysis
from analysis import CriterionVerdict
from charts.base.frame import ChartFrame
from charts.base.svg import figure_svg
from charts.comparison import comparison_figure
from charts.interval_bar import interval_bar
from charts.interval_trace import interval_trace_figure
from commands.judge import evaluation_json
from domain import FLEETS, Window
from messages import endpoints, live, parity, states, times, verdicts
from messages import events as event_words
from messages import evidence as words
from messages.errors import sources
from reports.evidence.data import SORT_COLUMNS, to_csv, to_parquet
from reports.evidence.endpoints import routes_table
from reports.evidence.window_latency import LatencyTable, labelled_groups, latency_note, latency_table
from services.evidence import EvidenceBundle

PAGE_NAME = "evidence.html"
DATA_NAME = "data.csv"
PACKAGES = ("pandas", "numpy", "pyarrow", "plotly", "streamlit", "boto3", "pydantic", "SQLAlchemy", "Jinja2")
ROOT = Path(__file__).parent.parent.parent

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class ReportChart:
    """A chart with its heading and what is to be read from it."""

    title: str
    explanation: str
    svg: Markup


def evidence_zip(bundle: EvidenceBundle, *, made_at: datetime) -> bytes:
    """The evidence file, a ZIP: evidence.html, data.csv, data.parquet, judgement.json. Only the page depends on `made_at`.

    The same case gives the same bytes with the same packages: rows are in one order, and the files in the ZIP are dated by the window's end.
    """
    return zip_files(evidence_files(bundle, made_at=made_at), bundle.evaluation.window.ends_at)


def evidence_files(bundle: EvidenceBundle, *, made_at: datetime) -> dict[str, bytes]:
    """What is in the evidence file, by name."""
    data = {
        DATA_NAME: to_csv(
            pd.concat([bundle.rows, bundle.unread]).sort_values(SORT_COLUMNS) if len(bundle.unread) else bundle.rows
        ),
        "data.parquet": to_parquet(bundle.rows),
        "judgement.json": (json.dumps(evaluation_json(bundle.evaluation), indent=2) + "\n").encode(),
    }
    return {PAGE_NAME: evidence_page(bundle, data, made_at=made_at).encode(), **data}


def zip_files(files: Mapping[str, bytes], timestamp: datetime) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, timestamp.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def evidence_page(bundle: EvidenceBundle, data: Mapping[str, bytes], *, made_at: datetime) -> str:
    """evidence.html: one page that needs nothing else, no script and no network. `data` are the files beside it."""
    migration, hearing = bundle.migration, bundle.evaluation
    window, zone = hearing.window, migration.zone
    return templates.get_template("evidence.html.j2").render(
        words=words,
        parity=parity,
        verdicts=verdicts,
        times=times,
        case=bundle,
        demo=live.DEMO_MARK() if migration.demo else "",
        head=evaluation_json(hearing),
        sign=verdicts.SIGNS[hearing.judgement.verdict],
        aloud=_summary(bundle),
        table_head=parity.table_head(*(_label(bundle, fleet) for fleet in FLEETS)),
        bar=interval_bar,
        window=times.span(window.starts_at, window.ends_at, zone, now=made_at),
        window_utc=f"{window.starts_at:%Y-%m-%d %H:%M} – {window.ends_at:%Y-%m-%d %H:%M} UTC",
        judged_until=f"{bundle.final_window.ends_at.astimezone(zone):%Y-%m-%d %H:%M} {migration.timezone}"
        if bundle.final_window
        else "",
        length=times.duration(window.end - window.start),
        made=f"{made_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {migration.timezone} ({made_at.astimezone(UTC):%H:%M:%S} UTC)",
        ribbons=list(_interval_charts(bundle)),
        overlays=list(_comparison_charts(bundle)),
        latency=_latency(bundle, made_at),
        routes=routes_table(bundle.endpoints) if bundle.endpoints else None,
        routes_words=endpoints,
        left_out=[(verdicts.metric(one.criterion), _excluded_minutes(one)) for one in hearing.judgement.criteria],
        fleets=[(fleet, migration.fleets[fleet]) for fleet in FLEETS],
        source=states.source_name(hearing.source),
        happened=[(f"{_at(event.ts).astimezone(zone):%Y-%m-%d %H:%M}", event) for event in bundle.events],
        line=event_words.title_with_author,
        shortened=sources.shorten,
        sums=[(name, len(content), sha256(content)) for name, content in data.items()],
        versions=[("Python", python_version()), *((name, version(name)) for name in PACKAGES)],
        judge=judge_sha256(),
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def judge_sha256() -> str:
    """The SHA-256 over the modules that judge, so that one can tell whether two files were judged alike."""
    modules = sorted((*(ROOT / "analysis").glob("*.py"), *(ROOT / "migration").glob("*.py")))
    return sha256(b"".join(module.read_bytes() for module in modules))


def _summary(bundle: EvidenceBundle) -> str:
    """The judgement as one reads it aloud."""
    hearing, fleets = bundle.evaluation, bundle.migration.fleets
    most = max(hearing.judgement.criteria, key=lambda one: one.baseline_requests + one.canary_requests)
    share = hearing.phase.canary_share if hearing.phase else None
    length_s = hearing.window.end - hearing.window.start
    sentences = (
        verdicts.sentence(one, baseline=fleets.baseline.label, canary=fleets.canary.label)
        for one in verdicts.deciding_criteria(hearing.judgement)
    )
    opening = parity.opening(share, length_s, most.baseline_requests, most.canary_requests)
    return " ".join((opening, *sentences))


def _excluded_minutes(result: CriterionVerdict) -> str:
    said = (verdicts.excluded(why, minutes) for why, minutes in (result.excluded or {}).items() if minutes)
    return " · ".join(said) or parity.NOTHING_EXCLUDED()


def _interval_charts(bundle: EvidenceBundle) -> Iterator[ReportChart]:
    if bundle.final_window is None:
        return
    for one in bundle.evaluation.judgement.criteria:
        trace = bundle.trace[bundle.trace["metric"] == one.metric]
        if trace["low"].notna().any():
            title = parity.interval_trace_title(verdicts.metric(one.criterion))
            figure = interval_trace_figure(
                trace, _frame(bundle, bundle.final_window), is_latency=verdicts.is_latency(one.criterion)
            )
            svg = figure_svg(figure, f"{title}. {parity.INTERVAL_TRACE_EXPLAINED()}")
            yield ReportChart(title, parity.INTERVAL_TRACE_EXPLAINED(), svg)


def _comparison_charts(bundle: EvidenceBundle) -> Iterator[ReportChart]:
    if bundle.final_window is None:
        return
    migration, frame = bundle.migration, _frame(bundle, bundle.final_window)
    for title, overlay, metric in (
        (words.ERROR_RATE, analysis.error_rate(bundle.grid), "error_rate"),
        (words.P95, analysis.latency(bundle.grid, "p95"), "latency_p95"),
    ):
        if not overlay.empty:
            figure = comparison_figure(overlay, frame, margin=migration.margin_of(metric), events=bundle.events)
            yield ReportChart(title, "", figure_svg(figure, words.page_alternative(title)))


@dataclass(frozen=True, slots=True)
class LatencySection:
    """The percentiles of the whole window; `note` says for which time they stand."""

    table: LatencyTable
    note: str


def _latency(bundle: EvidenceBundle, made_at: datetime) -> LatencySection | None:
    groups = labelled_groups(bundle.migration, bundle.window_latency) if bundle.window_latency else []
    if not bundle.window_latency or not groups:
        return None
    label = states.source_name(bundle.evaluation.source)
    said = latency_note(bundle.migration, bundle.window_latency, label, now=made_at)
    return LatencySection(latency_table(groups), said)


def _frame(bundle: EvidenceBundle, window: Window) -> ChartFrame:
    """On paper everything is light, and nothing is provisional: only settled minutes are drawn."""
    at = window.ends_at.astimezone(bundle.migration.zone)
    return ChartFrame(
        labels=bundle.evaluation.labels,
        window=window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=at.tzname() or bundle.migration.timezone,
        provisional_from=window.end,
    )


def _label(bundle: EvidenceBundle, fleet: str) -> str:
    return bundle.evaluation.labels[fleet]  # type: ignore[index]


def _at(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
