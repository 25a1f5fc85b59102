"""The newest results of probes as rows of a table and as JSON, for reports and commands."""

from dataclasses import asdict
from typing import Any

from domain import Migration
from domain.config.probe import Probe
from domain.probe import ProbeResult
from reports.formats import local_minute
from reports.judgement_json import iso_time
from services.probing import ProbesWithResults


def probe_rows(migration: Migration, probes: ProbesWithResults) -> list[tuple[Probe, ProbeResult | None, str]]:
    """Each configured probe, its newest result, and when that was."""
    return [(probe, result, local_minute(migration, result.ts) if result else "") for probe, result in probes]


def probe_json(result: ProbeResult) -> dict[str, Any]:
    """As in `probes` of `cli.py probe --json`."""
    return {**asdict(result), "at": iso_time(result.ts)}
