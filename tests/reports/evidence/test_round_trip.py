"""data.csv of an evidence file, judged again by `judge --csv`: the same verdicts and intervals."""

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from analysis.parity.confidence_sequences import Scatter
from analysis.parity.context import JudgeContext
from domain import Series, Window
from reports.evidence.render import evidence_zip
from tests.factories.config import CONFIG_TOML
from tests.factories.evidence import (
    MALICIOUS_TEXT,
    MINUTES,
    NOW,
    WINDOW,
    make_evidence,
    rows_with_websockets,
    sample_rows,
)
from tests.factories.frames import START

COMPARED_KEYS = (
    "metric",
    "verdict",
    "reason",
    "lower",
    "upper",
    "alarm_lower",
    "alarm_upper",
    "estimate",
    "margin",
    "events",
    "unexplained",
    "minutes",
)
ALB_5XX_UNREAD = {Series("test", "load_balancer", "", "alb_5xx", "sum", ""): (Window(START + 600, START + 2400),)}
UNREAD = {
    Series("test", "canary", "photo-ecs-blue", "target_5xx", "sum", ""): (Window(START + 600, START + 900),),
    Series("test", "baseline", "photo-ec2", "target_3xx", "sum", ""): (WINDOW,),
}


def two_groups() -> dict[tuple[str, str, str, str], Any]:
    """Green takes over from blue after half an hour; in one minute both served."""
    rows = sample_rows()
    for key in [key for key in rows if key[0] == "canary"]:
        rows["canary", "photo-ecs-green", *key[2:]] = [None] * 30 + rows[key][30:]
        rows[key] = rows[key][:31] + [None] * (MINUTES - 31)
    return rows


def with_gap() -> dict[tuple[str, str, str, str], Any]:
    """The canary has no requests for three minutes."""
    rows = sample_rows()
    return {
        key: [*values[:40], *([None] * 3 if key[0] == "canary" else values[40:43]), *values[43:]]
        for key, values in rows.items()
    }


CONTEXT = JudgeContext(
    ((START - 3600, math.nan), (START - 1800, 0.5)),
    (Window(START - 60, START + 540),),
    counts_503=False,
    scatter={"latency_p95": Scatter(200.0, 0.01, 1.5, 400.0), "error_rate": Scatter(180.0, 0.2, 3.0)},
    usual=(500.0, 200_000.0),
)
CASES = {
    "web sockets": {"rows": rows_with_websockets()},
    "web sockets, and the load balancer's errors could not be read": {
        "rows": rows_with_websockets(),
        "unknown": ALB_5XX_UNREAD,
    },
    "an hour": {},
    "names like formulas": {"rows": sample_rows(ec2=f"={MALICIOUS_TEXT}", ecs="-ecs")},
    "two target groups": {"rows": two_groups()},
    "counts that could not be read": {"unknown": UNREAD},
    "a warm-up, a silent canary, and what was known from before": {"rows": with_gap(), "context": CONTEXT},
    "one side": {"rows": {key: values for key, values in sample_rows().items() if key[0] == "baseline"}},
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_the_data_of_the_evidence_gives_the_same_judgement(given: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(evidence_zip(make_evidence(**given), made_at=NOW))) as file:
        judgement = json.loads(file.read("judgement.json"))
        file.extractall(tmp_path)
    (tmp_path / "migration.toml").write_text(CONFIG_TOML, encoding="utf-8")
    args = ["judge", "--csv", str(tmp_path / "data.csv"), "--config", str(tmp_path / "migration.toml"), "--json"]
    args += ["--context", str(tmp_path / "judgement.json")]
    result = CliRunner().invoke(cli.app, args)
    again = json.loads(result.stdout)
    assert again["context"] == judgement["context"]
    assert (again["verdict"], result.exit_code) == (judgement["verdict"], judgement["exit_code"])
    assert [{key: item[key] for key in COMPARED_KEYS} for item in again["criteria"]] == [
        {key: item[key] for key in COMPARED_KEYS} for item in judgement["criteria"]
    ]
