"""Every command on moto, a server that is AWS as others understand it: what it has is shown, and what it has not is named with the next step."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from commands.shared import startup
from tests.cli.conftest import json_output, lines, run
from tests.fakes.mackerel import API_KEY, SERVICE, FakeMackerel
from tests.fakes.moto_aws import MotoAws, batch_points

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("moto")]

AGAIN = "Retrying automatically."
PAGE = "Reported: “500: HTML page “500 Internal Server Error””"
NO_PERCENTILES = [
    f"Server error for some series. CloudWatch returned a server error for {group}: TargetResponseTime p50, "
    f"TargetResponseTime p90, TargetResponseTime p95, +4. All other series were read. {PAGE} "
    f"→ {AGAIN} Until then, these series have gaps. If it persists and AWS_ENDPOINT_URL is set, that server does not support these statistics. "
    "docs/problems.md#unanswered_metric"
    for group in ("photo-ec2", "photo-ecs")
]


def not_supported(source: str, operation: str) -> str:
    return (
        f"Error at AWS. {source} returned a server error for {operation}. {PAGE} → {AGAIN} If it persists, see "
        "https://health.aws.amazon.com for the region or, if AWS_ENDPOINT_URL is set, what that server supports. docs/problems.md#server_error"
    )


@pytest.fixture(scope="module", autouse=True)
def aws(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoAws]:
    """One archive for all commands, which share what was fetched."""
    folder = tmp_path_factory.mktemp("emulator")
    # Ahead, so that a deployment that moto creates at its own time is a few minutes old.
    now = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
    with ExitStack() as stack:
        mackerel = stack.enter_context(FakeMackerel(clock=lambda: now))
        mackerel.points[SERVICE] = batch_points(now)
        aws = MotoAws(moto_url, now)
        (folder / "migration.toml").write_text(aws.config(str(folder)), encoding="utf-8")
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        environment = {"AWS_ENDPOINT_URL": aws.url, "MACKEREL_APIBASE": mackerel.url, "MACKEREL_APIKEY": API_KEY}
        for name, value in (environment | {"MIGRATION_CONFIG": str(folder / "migration.toml")}).items():
            patch.setenv(name, value)
        patch.setattr(startup, "now", lambda: now)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))  # between retries
        yield aws


def text_of(result: Any) -> str:
    """The output on one line."""
    return " ".join(lines(result.stdout))


def test_weights_of_every_rule_and_target_health() -> None:
    result = run("weights")
    assert result.exit_code == 0
    assert lines(result.stdout)[:8] == [
        "Photo service",
        "HTTP:80 default all others · redirect (no target group)",
        "HTTPS:443 10 X-Canary: ecs · header override · Stickiness off",
        "photo-ecs ECS 1 100.0%",
        "HTTPS:443 default all others · the split · Stickiness off",
        "photo-ec2 EC2 90 90.0%",
        "photo-ecs ECS 10 10.0%",
        "photo-ec2: 2/2 healthy",
    ]


def test_watch_shows_requests_and_errors_and_names_the_percentiles() -> None:
    result = run("watch", "--once")
    assert result.exit_code == 2
    output = lines(result.stdout)
    assert output[1].startswith("◐ WAIT · ")
    assert "Insufficient data for: p95." in output
    start = output.index("requests 900/min 100/min")
    assert output[start : start + 12] == [
        "requests 900/min 100/min",
        "configured share 90.0% 10.0%",
        "observed share 90.0% 10.0% insufficient data",
        "error rate, 5 min 0% 1.00% +1.00 pp",
        "↳ no response 0% 0% ±0 pp",
        "↳ target 5xx 0% 1.00% +1.00 pp",
        "response not counted 0% 0% ±0 pp",
        "p50 – – –",
        "p90 – – –",
        "p95 – – –",
        "p99 – – –",
        "ALB-generated 5xx, whole load balancer 2.0/min",
    ]
    for sentence in NO_PERCENTILES:
        assert sentence in text_of(result)


def test_judge_has_the_counts_and_no_p95() -> None:
    result = run("judge", "--window", "30m")
    assert result.exit_code == 2
    text = text_of(result)
    assert re.search(r"30 min · [\d,]+ and [\d,]+ requests\.", text)  # those after the deployment are warm-up
    assert "p95 – – – ±10% ○ insufficient data" in text
    assert "p95: No source reports this metric for both fleets." in text
    for sentence in NO_PERCENTILES:
        assert sentence in text


def test_deployments_of_codedeploy_without_the_targets_that_moto_lacks() -> None:
    result = run("deployments")
    output = lines(result.stdout)
    assert output[1] == (
        "photo/web · desired 2 · running 0 · pending 2 · task definition web:1 · CodeDeploy blue/green"
    )
    assert re.fullmatch(r"Deploying web:1: Created, started \d+ min ago", output[2])
    assert "✘ photo-ec2 and photo-ecs are both weighted in the production rule" in output
    assert "✘ another deployment is in progress" in output
    assert not_supported("CodeDeploy", "codedeploy:BatchGetDeploymentTargets") in text_of(result)


def test_batches_of_an_enabled_and_a_disabled_rule() -> None:
    result = run("batches")
    assert result.exit_code == 0
    assert lines(result.stdout)[1:] == [
        "1 of 2 jobs ran as scheduled · paused: digest",
        "Last 14d: 3 runs.",
        "state job scheduled last run duration",
        "‖ paused digest every 5 min – – Too few runs for a baseline",
        "✓ ran thumbnails every 5 min 5 min ago, succeeded 1.5s Too few runs for a baseline",
    ]


def test_endpoints_from_the_access_log_in_s3() -> None:
    result = run("endpoints")
    assert result.exit_code == 2
    assert lines(result.stdout)[-2:] == [
        "/photos/:id ○ insufficient data 4 0% 100% 42 ms 42 ms",
        "4 lines read from 1 files; all parsed.",
    ]


def test_doctor_names_each_operation_that_fails() -> None:
    result = run("doctor")
    text, output = text_of(result), lines(result.stdout)
    assert NO_PERCENTILES[0] in text
    assert not_supported("CloudTrail", "cloudtrail:LookupEvents") in text
    assert not_supported("CodeDeploy", "codedeploy:BatchGetDeploymentTargets") in text
    passed = {re.sub(r", [\d.]+s$", "", line) for line in output if line.startswith("✔")}
    assert passed >= {
        "✔ elasticloadbalancing:DescribeRules ok",
        "✔ elasticloadbalancing:DescribeTargetHealth ok",
        "✔ s3:ListBucket ok",
        "✔ ecs:DescribeServices ok",
        "✔ codedeploy:BatchGetDeployments ok",
        "✔ cloudwatch:GetMetricData ok",
        "✔ events:DescribeRule ok",
    }
    of_cloudwatch = output[output.index("CloudWatch") : output.index("Elastic Load Balancing")]
    assert of_cloudwatch[1].startswith("✘ cloudwatch:GetMetricData failed")
    assert [line.split(",")[0] for line in of_cloudwatch if "newest" in line] == [
        "✘ photo-ec2 failed",
        "✘ photo-ecs failed",
    ]


def test_record_fetches_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    result = run("record", "--once", "--json")
    assert result.exit_code == 0
    data = json_output(result)
    states = {source["source"]: source["state"] for source in data["sources"]}
    assert states == {
        "cloudwatch": "partial",
        **dict.fromkeys(("load_balancer", "lambda", "ecs", "eventbridge", "mackerel_batches"), "up"),
        **dict.fromkeys(("cloudtrail", "codedeploy"), "down"),
    }
    assert {(problem["kind"], problem["operation"]) for problem in data["problems"]} == {
        ("unanswered_metric", "cloudwatch:GetMetricData"),
        ("server_error", "cloudtrail:LookupEvents"),
        ("server_error", "codedeploy:BatchGetDeploymentTargets"),
    }
