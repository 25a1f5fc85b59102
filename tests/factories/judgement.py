"""Judges a tidy frame: `prepare_grid` and `analysis.judge` or `analysis.trace` in one call."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

import analysis
from domain import Criterion


def judge(frame: pd.DataFrame, criteria: Sequence[Criterion] = (), **options: Any) -> analysis.Judgement:
    """`options`: of prepare_grid."""
    return analysis.judge(analysis.prepare_grid(frame, criteria, **options))


def trace(frame: pd.DataFrame, criteria: Sequence[Criterion] = (), **options: Any) -> pd.DataFrame:
    """`options`: of prepare_grid."""
    return analysis.trace(analysis.prepare_grid(frame, criteria, **options))
