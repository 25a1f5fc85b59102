"""What the judge is given beside the data of a window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.parity.confidence_sequences import Scatter
from analysis.parity.incidents import ConfiguredShare
from domain import Window


@dataclass(frozen=True, slots=True)
class JudgeContext:
    """Beside the data of a window: the canary's `configured` share, the times of `warm_up` that are not judged, and what is known from before.

    `counts_503`: the load balancer's own 503s are counted, so that a missing row is 0. `scatter`: by metric, how periods of the window's length
    scattered before it. `usual`: errors and requests of both fleets in ordinary periods before it.
    """

    configured: ConfiguredShare = ()
    warm_up: tuple[Window, ...] = ()
    counts_503: bool = False
    scatter: Mapping[str, Scatter] = field(default_factory=dict)
    usual: tuple[float, float] = (0.0, 0.0)


NO_CONTEXT = JudgeContext()
