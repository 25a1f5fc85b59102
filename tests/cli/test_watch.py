"""`watch`: both fleets side by side in the newest final minute."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from analysis import CriterionVerdict, Judgement
from archive import MetricsResult
from commands.watch import snapshot_json, snapshot_table
from domain import Migration, Rule, Share, Traffic
from domain.events import weight_event
from domain.weight_changes import WeightChange
from services.evaluation import Evaluation
from services.live import watch_snapshot
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, DENIED, NOW, json_output, lines, run, sources_at
from tests.factories.frames import START, tidy_frame, window

pytestmark = pytest.mark.usefixtures("demo")


def rendered(renderable: Any) -> str:
    paper = StringIO()
    Console(file=paper, width=120, highlight=False, markup=False, emoji=False).print(renderable)
    return paper.getvalue()


class TestWatch:
    def test_the_demo_once(self):
        result = run("watch", "--once")
        assert result.exit_code == 2
        output = lines(result.stdout)
        assert output[0] == "Photo service (demo) DEMO · Demo metrics · minute of 05:13 JST, data 20s old"
        assert output[1] == "■ HOLD · 1 route regressed" and output[3] == "EC2 ECS ECS − EC2"
        assert output[5] == "configured share 50.0% 50.0%"
        assert re.fullmatch(r"observed share (49|50)\.\d% (49|50)\.\d% matches", output[6])
        assert [line.split(" ")[0] for line in output[11:15]] == ["p50", "p90", "p95", "p99"]
        assert "04:32 JST alert photo: 5xx above 0.4%" not in result.stdout  # over two hours ago

    def test_as_json_it_is_one_line(self):
        data = json_output(run("watch", "--once", "--json"))
        assert data["ok"] and data["source"] == "demo" and data["problems"] == []
        assert (data["minute"], data["data_until"]) == ("2026-11-23T20:13:00Z", "2026-11-23T20:17:00Z")
        assert data["configured"] == {"baseline": 0.5, "canary": 0.5} and data["sample_ratio"] == "matches"
        assert list(data["measures"]) == [
            "requests",
            "error_rate",
            "unanswered_rate",
            "target_5xx_rate",
            "unexplained_rate",
            "latency_p50",
            "latency_p90",
            "latency_p95",
            "latency_p99",
        ]
        p95 = data["measures"]["latency_p95"]
        assert p95["difference"] == pytest.approx(p95["canary"] - p95["baseline"])
        assert p95["low_samples"] == {"baseline": False, "canary": False}

    def test_criteria_of_ones_own_are_shown_with_their_newest_values(self):
        data = json_output(run("watch", "--once", "--json"))
        uploads, cpu = data["own_criteria"]
        assert (uploads["criterion"], cpu["criterion"], data["silent_criteria"]) == ("Uploads per request", "CPU %", [])
        assert uploads["baseline"] == pytest.approx(0.03, abs=0.003) == uploads["canary"]
        output = lines(run("watch", "--once").stdout)
        (row,) = [line for line in output if line.startswith("CPU %")]
        assert re.fullmatch(r"CPU % \d\d\.\d \d\d\.\d [+−]\d+(\.\d+)?", row)
        (row,) = [line for line in output if line.startswith("Uploads per request")]
        assert re.fullmatch(r"Uploads per request \d\.\d\d% \d\.\d\d% [+−]\d\.\d+ pp", row)

    def test_a_criterion_that_went_silent_is_named(self, use_sources: Any, demo: Migration):
        sources = sources_at(NOW, demo)
        (uploads, cpu) = sources.criteria
        fetch = uploads.pull

        def pull(window: Any, series: Any = None) -> Any:
            answer = fetch(window, series)
            frame = answer.frame
            kept = (frame["fleet"] != "canary") | (frame["ts"] < pd.Timestamp(NOW - timedelta(hours=2)))
            return replace(answer, frame=frame[kept].reset_index(drop=True))

        uploads.pull = pull  # type: ignore[method-assign]
        use_sources(sources)
        data = json_output(run("watch", "--once", "--json"))
        assert data["silent_criteria"] == [{"criterion": "Uploads per request", "fleet": "canary"}]
        words = " ".join(run("watch", "--once").stdout.split())
        assert (
            "“Uploads per request” has had no value of ECS for an hour, while ECS reports otherwise: divide(" in words
        )
        assert "`cli.py doctor` checks each expression." in words and cpu.name == "cloudwatch_criteria"

    def test_in_the_blind_spot_unanswered_is_shown_beside_target_5xx(
        self, demo: Migration, use_sources: Any, monkeypatch: pytest.MonkeyPatch, set_now: Callable[[datetime], None]
    ):
        at = datetime.fromtimestamp(scenario_for(ANCHOR).outage.start + 13 * 60, UTC)
        use_sources(sources_at(at, demo))
        set_now(at)
        measures = json_output(run("watch", "--once", "--json"))["measures"]
        assert measures["target_5xx_rate"]["canary"] == 0
        assert measures["unanswered_rate"]["canary"] > 0.99 and measures["error_rate"]["canary"] > 0.99
        assert measures["latency_p95"]["canary"] is None and measures["latency_p95"]["baseline"] > 0.2
        output = run("watch", "--once").stdout
        assert "alert photo-ecs-green: no healthy host" in output

    def test_it_refreshes_until_interrupted(self, monkeypatch: pytest.MonkeyPatch):
        waited: list[int] = []

        def sleep(seconds: int) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", sleep)
        result = run("watch", "--json", "--every", "30")
        assert (result.exit_code, waited) == (0, [30, 30, 30])
        assert len([json.loads(line) for line in result.stdout.splitlines()]) == 3

    def test_a_denied_source_is_reported_and_without_data_it_exits_with_3(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def pull(self, window: Any, series: Any = None) -> Any:
                return replace(super().pull(window, ()), problems=(DENIED,), answered_ranges=())

        use_sources(
            Sources(
                (Refused(demo, anchor=ANCHOR, clock=lambda: NOW),),
                DemoTraffic(anchor=ANCHOR),
                (DemoEvents(anchor=ANCHOR),),
            )
        )
        result = run("watch", "--once")
        assert result.exit_code == 3
        assert "Requests of EC2 and ECS are unknown: Demo metrics could not be read." in " ".join(lines(result.stdout))
        data = json_output(run("watch", "--once", "--json"))
        assert {fleet: (state["state"], state["requests"]) for fleet, state in data["fleets"].items()} == {
            "baseline": ("unknown", None),
            "canary": ("unknown", None),
        }
        assert "Allow `cloudwatch:GetMetricData`" in result.stdout

    def test_a_source_that_is_not_configured_is_refused(self):
        result = run("watch", "--once", "--source", "mackerel")
        assert result.exit_code == 3
        assert "No source mackerel in this migration. Available: demo." in " ".join(lines(result.stderr))

    def test_a_small_data_set_by_hand(self, demo: Migration):
        frame = tidy_frame(
            {
                ("baseline", "photo-ec2", "requests", "sum"): [900] * 10,
                ("baseline", "photo-ec2", "target_2xx", "sum"): [891] * 10,
                ("baseline", "photo-ec2", "target_5xx", "sum"): [9] * 10,
                ("baseline", "photo-ec2", "latency", "p95"): [0.2] * 10,
                ("baseline", "photo-ec2", "latency", "sample_count"): [900] * 10,
                ("canary", "photo-ecs-blue", "requests", "sum"): [100] * 9 + [40],
                ("canary", "photo-ecs-blue", "target_2xx", "sum"): [98] * 9 + [40],
                ("canary", "photo-ecs-blue", "latency", "p95"): [0.25] * 10,
                ("canary", "photo-ecs-blue", "latency", "sample_count"): [98] * 9 + [40],
                ("load_balancer", "", "alb_5xx", "sum"): [2] * 10,
            }
        )
        # Read when minute 9 was younger than the three minutes that are not trusted.
        poll = MetricsResult(frame, window(10), data_until=START + 600, last_asked_at=START + 12 * 60)
        shares = (Share("", "photo-ec2", "baseline", 900), Share("", "photo-ecs-blue", "canary", 100))
        rule = Rule("r", "l", "HTTPS:443", "default", "forward", (), shares, None)
        now = datetime.fromtimestamp(START + 12 * 60 + 5, UTC)
        snapshot = watch_snapshot(demo, "cloudwatch", poll, Traffic(START, (rule,), (), "r"), (), now=now)
        undecided = CriterionVerdict(demo.criteria[0], "not enough data", "few_minutes")
        judgement = Judgement("not enough data", (undecided,))
        evaluation = Evaluation(judgement, window(10), demo.name, "cloudwatch", demo.labels, demo.zone)
        assert lines(rendered(snapshot_table(demo, snapshot, evaluation)))[1:] == [
            "◐ WAIT · inconclusive so far",
            "error rate: Too few minutes.",
            "EC2 ECS ECS − EC2",
            "requests 900/min 100/min",
            "configured share 90.0% 10.0%",
            "observed share 90.0% 10.0% insufficient data",
            "error rate, 5 min 1.00% 2.00% +1.00 pp",
            "↳ no response 0% 2.00% +2.00 pp",
            "↳ target 5xx 1.00% 0% −1.00 pp",
            "response not counted 0% 0% ±0 pp",
            "p50 – – –",
            "p90 – – –",
            "p95 200 ms 250 ms ? +50 ms",
            "p99 – – –",
            "ALB-generated 5xx, whole load balancer 2.0/min",
            "? low sample, not judged",
        ]
        as_json = snapshot_json(demo, snapshot, evaluation)
        assert (as_json["alb_5xx"], as_json["decision"], as_json["exit_code"]) == (2, "wait", 2)
        assert as_json["measures"]["latency_p95"]["low_samples"] == {
            "baseline": False,
            "canary": True,
        }

    def test_after_a_weight_change_the_share_is_of_the_minutes_since(self, demo: Migration):
        requests = {
            ("baseline", "photo-ec2", "requests", "sum"): [900] * 5 + [700] + [500] * 21,
            ("canary", "photo-ecs-blue", "requests", "sum"): [100] * 5 + [300] + [500] * 21,
        }
        poll = MetricsResult(tidy_frame(requests), window(27), data_until=START + 1620, last_asked_at=START + 31 * 60)
        shares = (Share("", "photo-ec2", "baseline", 500), Share("", "photo-ecs-blue", "canary", 500))
        rule = Rule("r", "l", "HTTPS:443", "default", "forward", (), shares, None)
        change = weight_event(WeightChange(START + 5 * 60 + 20, START + 5 * 60, 0.1, 0.5))
        now = datetime.fromtimestamp(START + 31 * 60, UTC)
        snapshot = watch_snapshot(demo, "cloudwatch", poll, Traffic(START, (rule,), (), "r"), (change,), now=now)
        assert snapshot.sample_ratio is not None
        assert (snapshot.sample_ratio.verdict, snapshot.sample_ratio.observed_share, snapshot.sample_ratio.minutes) == (
            "matches",
            0.5,
            20,
        )
