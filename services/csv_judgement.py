"""A CSV judged: as a whole, and replayed: what would have been said after every minute."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import analysis
from analysis import CriterionVerdict, Verdict
from analysis.parity.context import JudgeContext
from analysis.parity.verdicts import overall_verdict
from archive import MetricsResult
from domain import Criterion, Migration, Window, epoch_s
from domain.decision import Decision
from domain.window import MINUTE_S
from services.decision import decide_minute
from services.evaluation import Evaluation, build_evaluation
from services.fleet_requests import fleet_requests
from services.judge_context import warm_up_window
from services.parity import WindowJudgement
from sources.csv_import import SOURCE, CsvData


@dataclass(frozen=True, slots=True)
class ReplayedMinute:
    """What was said after the period that starts at `ts` (epoch seconds): overall, and of each criterion, whose bounds are None while unknown."""

    ts: int
    verdict: Verdict
    decision: Decision
    criteria: tuple[CriterionVerdict, ...]


def csv_window(csv: CsvData, minutes: int | None) -> Window:
    """The time of a CSV, or its last `minutes`."""
    starts = epoch_s(csv.frame)
    start, end = int(starts.min()), int((starts + csv.frame["period_s"].to_numpy()).max())
    return Window(max(start, end - minutes * MINUTE_S) if minutes else start, end)


def csv_context(csv: CsvData, warm_up_s: int) -> JudgeContext:
    """The configured share that a CSV has, and a warm-up from its start and from each change of that share."""
    begun = [csv_window(csv, None).start, *(ts for ts, _ in csv.configured[1:])] if warm_up_s else []
    return JudgeContext(csv.configured, tuple(warm_up_window(ts, warm_up_s) for ts in begun))


def evaluate_csv(
    name: str, csv: CsvData, migration: Migration | None, window: Window, context: JudgeContext
) -> Evaluation:
    """Judges `window` of a CSV by the criteria and labels of `migration`."""
    result = MetricsResult(csv.frame, window, data_until=window.end)
    prepared = analysis.prepare_grid(
        csv.frame,
        migration.criteria if migration else (),
        window=window,
        unknown=csv.unknown_counts,
        fleets=fleet_requests(result, SOURCE, final_until=window.end),
        context=context,
    )
    judgement = analysis.judge(prepared)
    return build_evaluation(
        WindowJudgement(window, judgement, window.end, result, context), migration, SOURCE, name=name
    )


def replay_csv(
    csv: CsvData, migration: Migration | None, window: Window, context: JudgeContext
) -> Iterator[ReplayedMinute]:
    """Every period of `window` of a CSV, judged by the criteria of `migration`."""
    criteria = migration.criteria if migration else ()
    prepared = analysis.prepare_grid(csv.frame, criteria, window=window, unknown=csv.unknown_counts, context=context)
    trace = analysis.trace(prepared)
    parts = [trace[trace["metric"] == criterion.metric] for criterion in prepared.criteria]
    by_period = zip(*map(_verdicts, prepared.criteria, parts), strict=True)
    starts = epoch_s(parts[0]).tolist()
    for ts, known, results in zip(starts, prepared.incidents_by_period(), by_period, strict=True):
        decision = decide_minute([(result.criterion, result.verdict) for result in results], known).decision
        yield ReplayedMinute(ts, overall_verdict(results), decision, results)


def _verdicts(criterion: Criterion, trace: pd.DataFrame) -> Iterator[CriterionVerdict]:
    """The verdict of one criterion in each row of its trace. Its reason is only as exact as `overall_verdict` needs."""
    names = ("estimate", "lower", "upper", "alarm_lower", "alarm_upper", "margin_lower", "margin")
    columns = [trace[name].replace(np.nan, None).tolist() for name in names]
    for verdict, *values in zip(trace["verdict"].tolist(), *columns, strict=True):
        result = CriterionVerdict(criterion, verdict, "inconclusive", **dict(zip(names, values, strict=True)))
        yield replace(result, reason="significantly_worse") if _is_suspect(result) else result


def _is_suspect(result: CriterionVerdict) -> bool:
    """Undecided and significantly worse; inside the margin it is undecided for another reason, as incidents."""
    if result.verdict != "undecided" or not result.is_significantly_worse:
        return False
    assert result.lower is not None and result.upper is not None
    assert result.margin_lower is not None and result.margin is not None
    return result.lower < result.margin_lower or result.upper > result.margin
