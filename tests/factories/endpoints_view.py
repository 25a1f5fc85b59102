"""The data and the query parameters of the Endpoints page."""

from dataclasses import replace
from datetime import UTC, datetime

from analysis.endpoints.endpoints import judge_endpoints
from archive.access_logs.tables import LineCounts
from services.endpoints import EndpointsView
from tests.factories.archives import MIGRATION
from tests.factories.log_counts import FLEET_OF, START, count_table, first_minutes
from ui.endpoints.url import EndpointsParams, parse_endpoints_params

NOW = datetime.fromtimestamp(START + 3600 + 77, UTC)


def params(**values: str) -> EndpointsParams:
    return parse_endpoints_params(
        {name.rstrip("_"): value for name, value in values.items()}, zone=MIGRATION.zone, now=NOW
    )


def judged(rows: list[dict[str, object]], n_minutes: int = 120, **overrides: object) -> EndpointsView:
    endpoints = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(n_minutes))
    lines = LineCounts(3, 100, 98, (("cut_off", 1),))
    view = EndpointsView(first_minutes(n_minutes), endpoints, lines, n_minutes, (), (), ())
    return replace(view, **overrides)  # type: ignore[arg-type]
