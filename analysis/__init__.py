"""What the numbers mean: frames in, frozen values out. No I/O, no clock, no page."""

from analysis.parity.judge import TRACE_COLUMNS, judge, needed, trace
from analysis.parity.verdicts import (
    DEFAULT_CRITERIA,
    LEFT_OUT,
    VERDICTS,
    CriterionVerdict,
    Judgement,
    LeftOut,
    Reason,
    Verdict,
)
from analysis.series.comparison import (
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
from analysis.series.grid import FleetMinutes, Minutes, finest_minutes, minutes
from analysis.series.phases import Beginning, Phase, Step, phases, steps
from analysis.series.sample_ratio import SampleRatio, SampleRatioVerdict, sample_ratio

__all__ = [
    "DEFAULT_CRITERIA",
    "LEFT_OUT",
    "TRACE_COLUMNS",
    "VERDICTS",
    "Beginning",
    "CriterionVerdict",
    "FleetMinutes",
    "Judgement",
    "LeftOut",
    "Minutes",
    "Overlay",
    "Phase",
    "Quantity",
    "Reading",
    "Reason",
    "SampleRatio",
    "SampleRatioVerdict",
    "Step",
    "Verdict",
    "error_rate",
    "finest_minutes",
    "judge",
    "latency",
    "minutes",
    "needed",
    "needed_samples",
    "newest",
    "part",
    "phases",
    "requests",
    "sample_ratio",
    "slow",
    "steps",
    "trace",
    "unanswered_rate",
]
