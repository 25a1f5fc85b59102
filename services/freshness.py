"""Which data is final. Provisional minutes are drawn, but never judged."""

from datetime import datetime

from archive import MetricsResult
from domain import Migration
from domain.window import MINUTE_S

SOURCE_DELAY_MINUTES = {"cloudwatch": 5, "mackerel": 12}  # Mackerel itself polls CloudWatch every five minutes


def provisional_from(migration: Migration, read_at: float) -> int:
    """The first provisional second of data that was read at `read_at` (both epoch seconds)."""
    return int(read_at) // MINUTE_S * MINUTE_S - migration.provisional_minutes * MINUTE_S


def result_provisional_from(migration: Migration, result: MetricsResult) -> int:
    """The first provisional second of a result; its end if all of it was read when it was final, as a release that is over."""
    return result.window.end if result.last_asked_at is None else provisional_from(migration, result.last_asked_at)


def final_until(migration: Migration, result: MetricsResult, *, now: datetime) -> int:
    """The end of the data in `result` that may be judged (epoch seconds)."""
    final_by_age = int(now.timestamp()) // MINUTE_S * MINUTE_S - migration.settle_minutes * MINUTE_S
    return result.final_until(provisional_s=migration.provisional_minutes * MINUTE_S, final_by_age=final_by_age)


def max_data_age_s(migration: Migration, source: str) -> int:
    """How old the newest data of a healthy source may be."""
    delay = SOURCE_DELAY_MINUTES.get(source, SOURCE_DELAY_MINUTES["cloudwatch"])
    return MINUTE_S * (migration.provisional_minutes + delay)


def is_stale(migration: Migration, source: str, data_until: int | None, now: datetime) -> bool:
    """Whether the newest data is older than the delay of the source explains."""
    return data_until is None or now.timestamp() - data_until > max_data_age_s(migration, source)
