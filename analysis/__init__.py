"""Statistics: tidy frames in, frozen dataclasses out. Pure: no I/O, no clock, no page."""

from analysis.alarms.alarms import Alarm, AlarmState, AlarmValue, LabelledAlarm, find_alarms
from analysis.alarms.rules import ALARM_RULES, AlarmData, AlarmRule, SplitShares
from analysis.parity.judge import TRACE_COLUMNS, judge, trace
from analysis.parity.samples import PreparedGrid, is_needed, prepare_grid
from analysis.parity.verdicts import (
    DEFAULT_CRITERIA,
    EXCLUSION_REASONS,
    VERDICTS,
    CriterionVerdict,
    ExclusionReason,
    Judgement,
    Verdict,
    VerdictReason,
)
from analysis.series.comparison import (
    Comparison,
    EarlierLine,
    LatestValues,
    Quantity,
    component,
    earlier_line,
    error_rate,
    latency,
    latest_values,
    own_metric,
    requests,
    required_samples,
    slow_share,
)
from analysis.series.grid import TimeGrid, finest_grid, time_grid
from analysis.series.phases import Phase, PhaseOutcome, PhaseStart, WeightStep, phases, weight_steps
from analysis.series.sample_ratio import ExpectedShare, SampleRatio, sample_ratio
from analysis.series.unanswered import NOTABLE_SHARE
