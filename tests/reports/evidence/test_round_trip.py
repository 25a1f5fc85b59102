"""data.csv of an evidence file, judged again by `judge --csv`: the same verdicts and intervals."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
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
    "one side": {"rows": {key: values for key, values in sample_rows().items() if key[0] == "baseline"}},
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_the_data_of_the_evidence_gives_the_same_judgement(given: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(evidence_zip(make_evidence(**given), made_at=NOW))) as file:
        judgement = json.loads(file.read("judgement.json"))
        (tmp_path / "data.csv").write_bytes(file.read("data.csv"))
    (tmp_path / "migration.toml").write_text(CONFIG_TOML, encoding="utf-8")
    args = ["judge", "--csv", str(tmp_path / "data.csv"), "--config", str(tmp_path / "migration.toml"), "--json"]
    result = CliRunner().invoke(cli.app, args)
    again = json.loads(result.stdout)
    assert (again["verdict"], result.exit_code) == (judgement["verdict"], judgement["exit_code"])
    assert [{key: item[key] for key in COMPARED_KEYS} for item in again["criteria"]] == [
        {key: item[key] for key in COMPARED_KEYS} for item in judgement["criteria"]
    ]
