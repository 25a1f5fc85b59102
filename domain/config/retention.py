"""`keep` and `keep_rollups`: for how long an archive keeps what it was fetched."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from domain.config.errors import config_error
from domain.window import DAY_S, HOUR_S

MIN_KEEP_DAYS = 63  # Batches shows 62 days
MAX_KEEP_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """`points_s`: of points and counts of access logs; `rollups_s`: of ten-minute rollups; in seconds, 0: without end."""

    points_s: int = 0
    rollups_s: int = 0

    def points_since(self, now_s: int) -> int:
        """Points that begin before (epoch seconds, a whole hour) are not kept at `now_s`."""
        return _since(now_s, self.points_s)

    def rollups_since(self, now_s: int) -> int:
        return _since(now_s, self.rollups_s)


KEEP_ALL = Retention()


def keep_s(duration: str) -> int:
    """The seconds of a valid duration, "400d"; 0 for ""."""
    return int(duration.removesuffix("d") or 0) * DAY_S


def _check_duration(duration: str) -> str:
    if duration and not (re.fullmatch(r"\d{1,5}d", duration) and _is_allowed(keep_s(duration))):
        raise config_error("not_a_retention", given=duration)
    return duration


def _is_allowed(seconds: int) -> bool:
    return MIN_KEEP_DAYS * DAY_S <= seconds <= MAX_KEEP_DAYS * DAY_S


def _since(now_s: int, kept_s: int) -> int:
    return (now_s - kept_s) // HOUR_S * HOUR_S if kept_s else 0


RetentionDuration = Annotated[str, AfterValidator(_check_duration)]
