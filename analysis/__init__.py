"""What the numbers mean: frames in, frozen values out. No I/O, no clock, no page."""

from analysis.minutes import FleetMinutes, Minutes, minutes
from analysis.overlay import (
    Overlay,
    Quantity,
    Reading,
    error_rate,
    latency,
    needed_samples,
    newest,
    part,
    requests,
    slow,
    unanswered_rate,
)
from analysis.sample_ratio import SampleRatio, SampleRatioVerdict, sample_ratio

__all__ = [
    "FleetMinutes",
    "Minutes",
    "Overlay",
    "Quantity",
    "Reading",
    "SampleRatio",
    "SampleRatioVerdict",
    "error_rate",
    "latency",
    "minutes",
    "needed_samples",
    "newest",
    "part",
    "requests",
    "sample_ratio",
    "slow",
    "unanswered_rate",
]
