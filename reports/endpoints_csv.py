"""The routes of the Endpoints page as CSV."""

from collections.abc import Sequence

from analysis.endpoints.endpoints import PERCENTILES, Endpoint
from domain import FLEETS
from reports.csv_table import table_csv
from services.endpoints import criterion_of

COLUMNS = (
    "route",
    "verdict",
    *(f"{name}_{fleet}" for name in ("requests", "errors", "error_rate") for fleet in FLEETS),
    "error_rate_difference",
    "error_rate_lower",
    "error_rate_upper",
    *(f"{name}_{fleet}_s" for name in PERCENTILES for fleet in FLEETS),
)


def routes_csv(routes: Sequence[Endpoint]) -> bytes:
    """One row per route. Rates and their differences are fractions, latency in seconds, the bounds are those of the 95 % CI."""
    return table_csv([_row(endpoint) for endpoint in routes], COLUMNS)


def _row(endpoint: Endpoint) -> dict[str, object]:
    errors = criterion_of(endpoint.judgement, "error_rate")
    row: dict[str, object] = {
        "route": endpoint.route,
        "verdict": endpoint.judgement.verdict,
        "error_rate_difference": endpoint.error_difference,
        "error_rate_lower": errors.lower if errors else None,
        "error_rate_upper": errors.upper if errors else None,
    }
    for fleet, stats in endpoint.fleets.items():
        row |= {f"requests_{fleet}": stats.requests, f"errors_{fleet}": stats.errors}
        row[f"error_rate_{fleet}"] = stats.error_rate
        row |= {f"{name}_{fleet}_s": value.value_s if value else None for name, value in stats.percentiles.items()}
    return row
