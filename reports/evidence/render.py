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
from charts.base.frame import Frame
from charts.base.svg import figure_svg
from charts.comparison import overlay_figure
from charts.interval_bar import bar
from charts.interval_trace import ribbon_figure
from commands.judge import hearing_json
from domain import FLEETS, Window
from messages import endpoints, live, parity, states, times, verdicts
from messages import events as event_words
from messages import evidence as words
from messages.errors import sources
from reports.evidence.data import ORDER, to_csv, to_parquet
from reports.evidence.endpoints import routes_table
from reports.evidence.window_latency import WholeTable, named, note, whole_table
from services.evidence import Case

PAGE = "evidence.html"
DATA = "data.csv"
PACKAGES = ("pandas", "numpy", "pyarrow", "plotly", "streamlit", "boto3", "pydantic", "SQLAlchemy", "Jinja2")
HOUSE = Path(__file__).parent.parent.parent

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart with its heading and what is to be read from it."""

    title: str
    explained: str
    svg: Markup


def evidence(case: Case, *, made_at: datetime) -> bytes:
    """The evidence file, a ZIP: evidence.html, data.csv, data.parquet, judgement.json. Only the page depends on `made_at`.

    The same case gives the same bytes with the same packages: rows are in one order, and the files in the ZIP are dated by the window's end.
    """
    return zipped(files(case, made_at=made_at), case.hearing.window.ends_at)


def files(case: Case, *, made_at: datetime) -> dict[str, bytes]:
    """What is in the evidence file, by name."""
    data = {
        DATA: to_csv(pd.concat([case.rows, case.unread]).sort_values(ORDER) if len(case.unread) else case.rows),
        "data.parquet": to_parquet(case.rows),
        "judgement.json": (json.dumps(hearing_json(case.hearing), indent=2) + "\n").encode(),
    }
    return {PAGE: page(case, data, made_at=made_at).encode(), **data}


def zipped(members: Mapping[str, bytes], dated: datetime) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, dated.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def page(case: Case, data: Mapping[str, bytes], *, made_at: datetime) -> str:
    """evidence.html: one page that needs nothing else, no script and no network. `data` are the files beside it."""
    migration, hearing = case.migration, case.hearing
    window, zone = hearing.window, migration.zone
    return templates.get_template("evidence.html.j2").render(
        words=words,
        parity=parity,
        verdicts=verdicts,
        times=times,
        case=case,
        demo=live.demo_mark() if migration.demo else "",
        head=hearing_json(hearing),
        sign=verdicts.SIGNS[hearing.judgement.verdict],
        aloud=_aloud(case),
        table_head=parity.table_head(*(_label(case, fleet) for fleet in FLEETS)),
        bar=bar,
        window=times.span(window.starts_at, window.ends_at, zone, now=made_at),
        window_utc=f"{window.starts_at:%Y-%m-%d %H:%M} – {window.ends_at:%Y-%m-%d %H:%M} UTC",
        judged_until=f"{case.settled.ends_at.astimezone(zone):%Y-%m-%d %H:%M} {migration.timezone}"
        if case.settled
        else "",
        length=times.duration(window.end - window.start),
        made=f"{made_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {migration.timezone} ({made_at.astimezone(UTC):%H:%M:%S} UTC)",
        ribbons=list(_ribbons(case)),
        overlays=list(_overlays(case)),
        latency=_latency(case, made_at),
        routes=routes_table(case.routes) if case.routes else None,
        routes_words=endpoints,
        left_out=[(verdicts.metric(one.criterion), _left_out(one)) for one in hearing.judgement.criteria],
        fleets=[(fleet, migration.fleets[fleet]) for fleet in FLEETS],
        source=states.source_name(hearing.source),
        happened=[(f"{_at(event.ts).astimezone(zone):%Y-%m-%d %H:%M}", event) for event in case.events],
        line=event_words.line,
        shortened=sources.shortened,
        sums=[(name, len(content), sha256(content)) for name, content in data.items()],
        versions=[("Python", python_version()), *((name, version(name)) for name in PACKAGES)],
        judge=judge_text(),
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def judge_text() -> str:
    """The SHA-256 over the modules that judge, so that one can tell whether two files were judged alike."""
    modules = sorted((*(HOUSE / "analysis").glob("*.py"), *(HOUSE / "migration").glob("*.py")))
    return sha256(b"".join(module.read_bytes() for module in modules))


def _aloud(case: Case) -> str:
    """The judgement as one reads it aloud."""
    hearing, fleets = case.hearing, case.migration.fleets
    most = max(hearing.judgement.criteria, key=lambda one: one.baseline_requests + one.canary_requests)
    share = hearing.phase.canary_share if hearing.phase else None
    length_s = hearing.window.end - hearing.window.start
    sentences = (
        verdicts.sentence(one, baseline=fleets.baseline.label, canary=fleets.canary.label)
        for one in verdicts.deciding(hearing.judgement)
    )
    opening = parity.opening(share, length_s, most.baseline_requests, most.canary_requests)
    return " ".join((opening, *sentences))


def _left_out(found: CriterionVerdict) -> str:
    said = (verdicts.left_out(why, minutes) for why, minutes in (found.left_out or {}).items() if minutes)
    return " · ".join(said) or parity.nothing_left_out()


def _ribbons(case: Case) -> Iterator[Drawing]:
    if case.settled is None:
        return
    for one in case.hearing.judgement.criteria:
        trace = case.trace[case.trace["metric"] == one.metric]
        if trace["low"].notna().any():
            title = parity.ribbon_title(verdicts.metric(one.criterion))
            figure = ribbon_figure(trace, _frame(case, case.settled), latency=verdicts.is_latency(one.criterion))
            svg = figure_svg(figure, f"{title}. {parity.ribbon_explained()}")
            yield Drawing(title, parity.ribbon_explained(), svg)


def _overlays(case: Case) -> Iterator[Drawing]:
    if case.settled is None:
        return
    migration, frame = case.migration, _frame(case, case.settled)
    for title, overlay, metric in (
        (words.ERROR_RATE, analysis.error_rate(case.grid), "error_rate"),
        (words.P95, analysis.latency(case.grid, "p95"), "latency_p95"),
    ):
        if not overlay.empty:
            figure = overlay_figure(overlay, frame, margin=migration.margin_of(metric), events=case.events)
            yield Drawing(title, "", figure_svg(figure, words.page_alternative(title)))


@dataclass(frozen=True, slots=True)
class Latency:
    """The percentiles of the whole window; `note` says for which time they stand."""

    table: WholeTable
    note: str


def _latency(case: Case, made_at: datetime) -> Latency | None:
    groups = named(case.migration, case.whole) if case.whole else []
    if not case.whole or not groups:
        return None
    label = states.source_name(case.hearing.source)
    said = note(case.migration, case.whole, label, now=made_at)
    return Latency(whole_table(groups), said)


def _frame(case: Case, window: Window) -> Frame:
    """On paper everything is light, and nothing is provisional: only settled minutes are drawn."""
    at = window.ends_at.astimezone(case.migration.zone)
    return Frame(
        labels=case.hearing.labels,
        window=window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=at.tzname() or case.migration.timezone,
        provisional_from=window.end,
    )


def _label(case: Case, fleet: str) -> str:
    return case.hearing.labels[fleet]  # type: ignore[index]


def _at(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
