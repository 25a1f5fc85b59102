"""The evidence file: a ZIP of a page, the judged data as CSV and Parquet, the judgement as JSON, the sign-offs, and a manifest."""

import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from platform import python_version

import pandas as pd
from markupsafe import Markup

import analysis
from analysis.parity.estimates import running_estimate
from charts.base.frame import ChartFrame, chart_frame
from charts.base.svg import figure_svg
from charts.comparison import comparison_figure
from charts.interval_bar import interval_bar
from charts.interval_trace import interval_trace_figure
from domain import FLEETS, Migration, Window
from messages import evidence as text
from messages import parity, states, times, verdicts
from reports.evidence.data import to_csv, to_parquet
from reports.evidence.manifest import (
    DATA_NAME,
    JUDGEMENT_NAME,
    LEDGER_NAME,
    MANIFEST_NAME,
    PAGE_NAME,
    PARQUET_NAME,
    evidence_digest,
    ledger_json,
    manifest_json,
    sha256,
    to_bytes,
)
from reports.evidence.window_latency import LatencyTable, labelled_groups, latency_note, latency_table
from reports.formats import creation_time, local_minute, slug
from reports.handover import handover_rows
from reports.judgement_json import counts_sentence, evaluation_json, incident_rows
from reports.probes import probe_rows
from reports.sign_offs import phase_window, sign_off_rows
from reports.templating import environment
from services.evidence import SORT_COLUMNS, EvidenceBundle
from sources.window_latency import WindowLatency

PACKAGES = ("pandas", "numpy", "pyarrow", "plotly", "streamlit", "boto3", "pydantic", "SQLAlchemy", "Jinja2")
ROOT = Path(__file__).parent.parent.parent
JUDGE_PACKAGES = ("analysis", "domain")
MAX_ROUTES = 20

TitledChart = tuple[str, Markup]


def evidence_file_name(name: str, window: Window) -> str:
    """ "evidence-photo-service-20261123T0900Z-20261123T1510Z.zip"."""
    return f"evidence-{slug(name)}-{window.starts_at:%Y%m%dT%H%MZ}-{window.ends_at:%Y%m%dT%H%MZ}.zip"


def evidence_zip(bundle: EvidenceBundle, *, made_at: datetime) -> bytes:
    """The evidence file. Only its page, and the page's checksum, depend on `made_at`.

    Equal bundles give equal bytes with the same package versions: rows are sorted, and files are dated by the end of the window.
    """
    return zip_files(evidence_files(bundle, made_at=made_at), bundle.evaluation.window.ends_at)


def evidence_files(bundle: EvidenceBundle, *, made_at: datetime) -> dict[str, bytes]:
    """The contents of the evidence file by name."""
    data = signed_files(bundle)
    ledger = to_bytes(ledger_json(bundle.migration.key, bundle.ledger))
    page = evidence_page(bundle, data, made_at=made_at).encode()
    files = {PAGE_NAME: page, **data, LEDGER_NAME: ledger}
    return {**files, MANIFEST_NAME: to_bytes(manifest_json(bundle.migration, bundle.evaluation, files))}


def signed_files(bundle: EvidenceBundle) -> dict[str, bytes]:
    """What a signature covers: the data and the judgement, without the sign-offs."""
    rows = pd.concat([bundle.rows, bundle.unread]).sort_values(SORT_COLUMNS) if len(bundle.unread) else bundle.rows
    return {
        DATA_NAME: to_csv(rows),
        PARQUET_NAME: to_parquet(bundle.rows),
        JUDGEMENT_NAME: to_bytes(evaluation_json(bundle.evaluation)),
    }


def zip_files(files: Mapping[str, bytes], timestamp: datetime) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, timestamp.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def evidence_page(bundle: EvidenceBundle, data: Mapping[str, bytes], *, made_at: datetime) -> str:
    """evidence.html: self-contained, without scripts and network. `data`: the signed files of the ZIP."""
    migration, evaluation = bundle.migration, bundle.evaluation
    judgement, window, zone = evaluation.judgement, evaluation.window, migration.zone
    share = evaluation.phase.canary_share if evaluation.phase else None
    span = times.span(window.starts_at, window.ends_at, zone, now=made_at)
    frame = chart_frame(migration, bundle.final_window) if bundle.final_window else None
    return environment.get_template("evidence.html.j2").render(
        bundle=bundle,
        summary=evaluation_json(evaluation),
        incidents=incident_rows(evaluation, now=made_at),
        sentences=parity.summary(
            judgement,
            share,
            window.end - window.start,
            evaluation.labels,
            evaluation.counts_of_judged_phase,
            ended=span if evaluation.phase and evaluation.phase.is_over else "",
        ),
        phase_counts=counts_sentence(evaluation),
        interval_bar=interval_bar,
        window=span,
        window_utc=f"{window.starts_at:%Y-%m-%d %H:%M} – {window.ends_at:%Y-%m-%d %H:%M} UTC",
        judged_until=local_minute(migration, bundle.final_window.end) if bundle.final_window else "",
        made=creation_time(migration, made_at),
        interval_charts=list(_interval_charts(bundle, frame)) if frame else [],
        comparison_charts=list(_comparison_charts(bundle, frame)) if frame else [],
        latency=_latency(migration, evaluation.source, bundle.window_latency, made_at),
        max_routes=MAX_ROUTES,
        excluded=[
            (verdicts.metric(result.criterion), parity.excluded_minutes(result)) for result in judgement.criteria
        ],
        probes=probe_rows(migration, bundle.probes),
        handover=handover_rows(migration, bundle.batches.jobs if bundle.batches else (), made_at),
        fleets=[(fleet, migration.fleets[fleet]) for fleet in FLEETS],
        events=[(local_minute(migration, event.ts), event) for event in bundle.events],
        checksums=[(name, len(content), sha256(content)) for name, content in data.items()],
        evidence_digest=evidence_digest(data),
        sign_offs=sign_off_rows(bundle.ledger.of_window(phase_window(evaluation)), zone, now=made_at),
        versions=[("Python", python_version()), *((name, version(name)) for name in PACKAGES)],
        judge=judge_sha256(),
    )


def judge_modules() -> list[Path]:
    """Every module that a judgement depends on."""
    return sorted(module for package in JUDGE_PACKAGES for module in (ROOT / package).rglob("*.py"))


@cache
def judge_sha256() -> str:
    """The checksum of the judge's modules: equal if two files were judged by the same code."""
    return sha256(b"".join(module.read_bytes() for module in judge_modules()))


def _interval_charts(bundle: EvidenceBundle, frame: ChartFrame) -> Iterator[TitledChart]:
    for result in bundle.evaluation.judgement.criteria:
        trace = bundle.trace[bundle.trace["metric"] == result.metric]
        if trace["lower"].notna().any():
            title = parity.interval_trace_title(verdicts.metric(result.criterion))
            figure = interval_trace_figure(trace, frame, quantity=result.criterion.quantity)
            yield (title, figure_svg(figure, f"{title}. {parity.INTERVAL_TRACE_EXPLAINED}"))


def _comparison_charts(bundle: EvidenceBundle, frame: ChartFrame) -> Iterator[TitledChart]:
    for title, comparison, metric in (
        (text.ERROR_RATE, analysis.error_rate(bundle.grid), "error_rate"),
        (text.P95, analysis.latency(bundle.grid, "p95"), "latency_p95"),
    ):
        if not comparison.empty:
            figure = comparison_figure(
                comparison,
                frame,
                estimate=running_estimate(bundle.trace, metric, frame.window),
                margin=bundle.migration.margin_of(metric),
                events=bundle.events,
                with_labels=True,
            )
            yield (str(title), figure_svg(figure, text.page_alternative(str(title))))


def _latency(
    migration: Migration, source: str, latency: WindowLatency | None, made_at: datetime
) -> dict[str, LatencyTable | str] | None:
    """The percentiles of the window, and a note on the time that they cover."""
    groups = labelled_groups(migration, latency) if latency else []
    if not latency or not groups:
        return None
    note = latency_note(migration, latency, states.source_name(source), now=made_at)
    return {"table": latency_table(groups), "note": note}
