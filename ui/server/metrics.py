"""/metrics: the program's own metrics for Prometheus, read at most once a second however many scrape them."""

import logging
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from streamlit import runtime
from streamlit.runtime.stats import ACTIVE_SESSIONS_FAMILY, GaugeStat

from services.metrics import MetricsTarget, RecordedState, Scrape, metrics_registry
from ui.app_context import opened_contexts
from ui.server.recent_read import RecentRead

logger = logging.getLogger(__name__)


class MetricsEndpoint:
    """Answers with the metrics of a registry: by default those of this process, without a migration before the archive is open."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or metrics_registry(RecordedState(_targets, _n_viewers))
        self._recent = RecentRead[Scrape]()

    async def respond(self, accept: str) -> tuple[bytes, str] | None:
        """The body and its media type, in the format of an Accept header; None if it could not be read in time."""
        found = await self._recent.get(self._read)
        return found.encoded(accept) if found else None

    def _read(self) -> Scrape | None:
        try:
            return Scrape(tuple(self._registry.collect()))
        except Exception:  # else the last one would be repeated, as if it were of now
            logger.exception("metrics not read")
            return None


def _targets() -> Iterable[MetricsTarget]:
    contexts = opened_contexts()
    return contexts.metrics_targets() if contexts else ()


def _n_viewers() -> int:
    """The sessions of browsers, and of agents."""
    found = runtime.get_instance().stats_mgr.get_stats([ACTIVE_SESSIONS_FAMILY]) if runtime.exists() else {}
    return sum(stat.value for stat in found.get(ACTIVE_SESSIONS_FAMILY, ()) if isinstance(stat, GaugeStat))
