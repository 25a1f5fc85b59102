"""The recorded decisions of a migration, and whether the last one is that of now: what the gate answers and /metrics shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archive import Archive
from archive.decisions import RecordedDecision
from domain import FleetName
from domain.decision import EXIT_CODES
from messages import gate as text
from services.decision import configured_shares
from services.gate import MAX_CLOCK_OFFSET_S, MAX_RECORD_AGE_S


@dataclass(frozen=True, slots=True)
class GateState:
    """What is recorded of a migration, by phase, and the fleets' configured shares of now (0–1), empty if they are not known."""

    migration: str
    decisions: tuple[RecordedDecision, ...]
    shares: tuple[tuple[FleetName, float], ...] = ()

    @property
    def canary_share(self) -> float | None:
        return dict(self.shares).get("canary")


def read_state(archive: Archive, slug: str) -> GateState:
    """Raises ArchiveError."""
    decisions, latest = archive.decisions.read(), archive.events.latest_traffic()
    return GateState(slug, decisions, tuple(configured_shares(latest[0] if latest else None).items()))


@lru_cache(maxsize=64)
def parse_body(body: str) -> Mapping[str, Any]:
    """A recorded evaluation; empty if it is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def why_unusable(state: GateState, decision: RecordedDecision, now: float) -> str:
    """Why a recorded decision is not that of now, in a sentence; "" if it is. `now`: epoch seconds."""
    age_s, current, content = now - decision.recorded_at, state.decisions[-1].phase, parse_body(decision.body)
    configured = (content.get("configured") or {}).get("canary")
    if content.get("decision") not in EXIT_CODES or content.get("migration") != state.migration:
        return str(text.NOT_RECORDED)
    if age_s < -MAX_CLOCK_OFFSET_S:
        return str(text.FUTURE)
    if decision.phase != current:
        return text.phase_over(decision.phase, current)
    if age_s > MAX_RECORD_AGE_S:
        return text.too_old(age_s, MAX_RECORD_AGE_S)
    if configured is not None and state.canary_share is not None and abs(configured - state.canary_share) > 1e-9:
        return str(text.CHANGED)
    return ""
