"""Signatures under evidence."""

from typing import Any

from domain import Window
from domain.sign_offs import SignOff
from tests.fakes.metric_source import NOON

SIGNED_WINDOW = Window(NOON - 3600, NOON)


def make_sign_off(window: Window = SIGNED_WINDOW, **changes: Any) -> SignOff:
    """Mika's, at parity, an hour's evidence."""
    fields: dict[str, Any] = {
        "migration": "",
        "phase": 2,
        "phase_start": window.start,
        "window": window,
        "decision": "continue",
        "verdict": "parity",
        "margins": (("error_rate", "0.5 pp"), ("latency_p95", "20 ms")),
        "margin_changes": (),
        "margins_since": window.start - 86_400,
        "evidence_sha256": "ab" * 32,
        "name": "Mika",
        "email": "mika@example.com",
        "verified": True,
        "signed_at": window.end + 60,
        "sentence": "On to 50%.",
    }
    return SignOff(**(fields | changes))
