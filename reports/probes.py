"""The newest results of probes as rows of a table, for reports."""

from domain import Migration
from domain.config.probe import Probe
from domain.probe import ProbeResult
from reports.formats import local_minute
from services.probing import ProbesWithResults


def probe_rows(migration: Migration, probes: ProbesWithResults) -> list[tuple[Probe, ProbeResult | None, str]]:
    """Each configured probe, its newest result, and when that was."""
    return [(probe, result, local_minute(migration, result.ts) if result else "") for probe, result in probes]
