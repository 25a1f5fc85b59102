"""`weights`: rules, shares, target health, and the history of the weights."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain import Condition, Migration
from sources.base import TrafficSnapshot
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, DENIED, NOW, json_output, lines, run, sources_at

pytestmark = pytest.mark.usefixtures("demo")


class TestWeights:
    def test_the_demos_rules_and_targets(self):
        result = run("weights")
        assert result.exit_code == 0
        assert lines(result.stdout)[:11] == [
            "Photo service (demo) DEMO",
            "HTTPS:443 10 X-Canary: ecs · header override · Stickiness off",
            "photo-ecs-green ECS 1 100.0%",
            "HTTPS:443 default all others · the split · Stickiness off",
            "photo-ec2 EC2 500 50.0%",
            "photo-ecs-blue ECS 0 0.0%",
            "photo-ecs-green ECS 500 50.0%",
            "HTTP:80 default all others · redirect (no target group)",
            "photo-ec2: 4/4 healthy",
            "photo-ecs-blue: no targets",
            "photo-ecs-green: 6/6 healthy",
        ]
        assert "Blue/green is blocked" in result.stdout

    def test_as_json(self):
        data = json_output(run("weights", "--json"))
        assert data["ok"] and data["demo"] and data["blue_green_blocked"]
        assert data["asked_at"] == "2026-11-23T20:17:20Z"
        assert data["configured"] == {"baseline": 0.5, "canary": 0.5}
        assert [rule["role"] for rule in data["rules"]] == ["header_rule", "split", ""]
        assert data["rules"][1]["shares"][0] == {
            "target_group": "photo-ec2",
            "fleet": "baseline",
            "weight": 500,
            "share": 0.5,
        }
        assert data["rules"][0]["conditions"] == [{"field": "http-header", "name": "X-Canary", "patterns": ["ecs"]}]
        assert [group["healthy"] for group in data["groups"]] == [4, 0, 6]
        assert data["groups"][0]["targets"][0]["state"] == "healthy"

    def test_dead_targets_are_counted_with_their_reason(self, demo: Migration, use_sources: Any):
        at = datetime.fromtimestamp(scenario_for(ANCHOR).outage.start + 300, UTC)
        use_sources(sources_at(at, demo))
        assert "photo-ecs-green: 0/6 healthy (6 unhealthy: Target.Timeout)" in run("weights").stdout

    def test_a_denied_request_is_printed_and_exits_with_1(self, demo: Migration, use_sources: Any):
        problem = replace(DENIED, source="load_balancer", operation="elasticloadbalancing:DescribeRules")

        class Refused(DemoTraffic):
            def snapshot(self) -> TrafficSnapshot:
                return TrafficSnapshot(int(NOW.timestamp()), None, (problem,))

        use_sources(Sources((), Refused(anchor=ANCHOR), ()))
        result = run("weights")
        assert result.exit_code == 1
        assert "Allow `elasticloadbalancing:DescribeRules`" in result.stdout
        data = json_output(run("weights", "--json"))
        assert (data["ok"], data["configured"], data["rules"]) == (False, {}, [])
        assert data["problems"][0]["operation"] == "elasticloadbalancing:DescribeRules"

    def test_another_split_is_marked(self, use_sources: Any):
        class TwoSplits(DemoTraffic):
            def snapshot(self) -> TrafficSnapshot:
                snapshot = super().snapshot()
                assert snapshot.traffic
                first, default, *others = snapshot.traffic.rules
                path = Condition("path-pattern", "", ("/api/*",))
                rules = (replace(first, conditions=(path,), shares=default.shares), default, *others)
                return replace(snapshot, traffic=replace(snapshot.traffic, rules=rules))

        use_sources(Sources((), TwoSplits(anchor=ANCHOR), ()))
        output = run("weights").stdout
        assert "HTTPS:443 10 path-pattern: /api/* · also splits · Stickiness off" in lines(output)
        assert "Another rule splits traffic between the fleets: HTTPS:443 10 (path-pattern: /api/*)" in " ".join(
            output.split()
        )
        roles = [rule["role"] for rule in json_output(run("weights", "--json"))["rules"]]
        assert roles == ["other_split", "split", ""]

    def test_a_rule_that_no_request_reaches_is_marked(self, use_sources: Any):
        class Shadowed(DemoTraffic):
            def snapshot(self) -> TrafficSnapshot:
                snapshot = super().snapshot()
                assert snapshot.traffic
                first, *others = snapshot.traffic.rules
                rules = (replace(first, conditions=(Condition("path-pattern", "", ("/*",)),)), *others)
                return replace(snapshot, traffic=replace(snapshot.traffic, rules=rules, split_arn=first.arn))

        use_sources(Sources((), Shadowed(anchor=ANCHOR), ()))
        result = run("weights")
        assert "HTTPS:443 10 path-pattern: /* · the split · Stickiness off" in lines(result.stdout)
        assert "HTTPS:443 default all others · never reached · Stickiness off" in lines(result.stdout)
        assert "HTTPS:443 default is never reached" in result.stdout
        assert [rule["role"] for rule in json_output(run("weights", "--json"))["rules"]] == ["split", "unreachable", ""]

    def test_without_aws_there_are_no_weights(self, use_sources: Any):
        use_sources(Sources((), None, ()))
        result = run("weights")
        assert result.exit_code == 1
        assert "add [aws] to migration.toml" in result.stderr
        assert json_output(run("weights", "--json"))["ok"] is False


class TestHistory:
    def test_every_step_of_the_demo_with_author_and_dwell_time(self):
        data = json.loads(run("weights", "--history", "--demo", "--json").stdout)
        assert data["ok"] and len(data["steps"]) == 15
        first, *_, last = data["steps"]
        assert (first["before"], first["after"], first["tool"], first["bake_time_s"]) == (
            0.0,
            0.001,
            "terraform",
            7 * 86_400,
        )
        assert (last["after"], last["author"], last["current"], last["brief"]) == (0.5, "naoko.sato", True, False)
        assert [step["bake_time_s"] // 60 for step in data["steps"] if step["brief"]] == [12, 12]

    def test_for_people_it_is_a_table(self):
        output = run("weights", "--history", "--demo").stdout
        assert "18 Oct 11:38 JST" in output
        assert re.search(r"10% → 5% +4d 2h +kenji\.mori, AWS CLI", output)
        assert "so far" in output and output.rstrip().endswith("blue/green deployment.")
