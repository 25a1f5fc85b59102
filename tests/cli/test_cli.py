"""The command line: what each command says, in words and in JSON, how it ends, and that nobody's words can steer a terminal."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import cli
from archive import MetricsResult
from commands.shared.output import redact_url
from commands.watch import snapshot_json, snapshot_table, watch_snapshot
from domain import Event, Fleet, Migration, Rule, Share, Target, Traffic
from sources.base import Health, Problem, TrafficSnapshot
from sources.demo.audit_log import DemoAuditLog
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic, demo_migration
from sources.registry import Sources, create_sources
from tests.factories.frames import START, tidy_frame, window

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
EVIL = "evil \x1b[2J\x1b]0;owned\x07 [red]name[/red] \u202e\nnext"
EVIL_PRINTED = "evil [2J ]0;owned [red]name[/red] next"
DENIED = Problem("denied", "cloudwatch", "cloudwatch:GetMetricData", "ap-northeast-1", "AccessDenied: not you")


@pytest.fixture(autouse=True)
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Migration:
    """The demo as it was at one moment, with an archive of this test's own, in a folder without a migration.toml."""
    migration = demo_migration(ANCHOR).model_copy(update={"archive": f"sqlite:///{tmp_path}/archive.db"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sources.registry.demo_migration", lambda: migration)
    monkeypatch.setattr(cli, "sources_of", partial(create_sources, anchor=ANCHOR))
    monkeypatch.setattr(cli, "utc_now", lambda: NOW)
    return migration


@pytest.fixture
def use_sources(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts other sources into the place of the demo's."""
    return lambda sources: monkeypatch.setattr(cli, "sources_of", lambda _migration, **_: sources)


def run(*args: str, columns: int = 160) -> Result:
    return CliRunner().invoke(cli.app, list(args), env={"COLUMNS": str(columns)})


def json_output(result: Result) -> Any:
    (line,) = result.stdout.splitlines()
    return json.loads(line)


def lines(text: str) -> list[str]:
    """What was printed, with runs of spaces as one."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def rendered(renderable: Any) -> str:
    paper = StringIO()
    Console(file=paper, width=120, highlight=False, markup=False, emoji=False).print(renderable)
    return paper.getvalue()


def sources_at(now: datetime, migration: Migration) -> Sources:
    return create_sources(migration, anchor=ANCHOR, clock=lambda: now)


class TestDoctor:
    def test_the_demo_is_fine(self):
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[0] == "Photo service (demo) DEMO"
        assert lines(result.stdout)[1] == "✔ Configuration built in: the demo"
        assert lines(result.stdout)[-1] == "Everything is fine."

    def test_each_permission_that_is_refused_says_what_to_do(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "cloudwatch:GetMetricData", "denied", 0.24, DENIED),)

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), DemoTraffic(demo, anchor=ANCHOR), ()))
        result = run("doctor")
        assert result.exit_code == 1
        said = lines(result.stdout)
        assert said[3] == "✘ CloudWatch cloudwatch:GetMetricData denied, 0.2 s"
        assert "Allow `cloudwatch:GetMetricData` in the IAM policy" in " ".join(said[4:])
        assert said[-1] == "Not fine yet: 1. Each says what to do."

        found = json_output(run("doctor", "--json"))
        assert not found["ok"]
        check = found["checks"][0]
        assert (check["permission"], check["ok"], check["state"]) == ("cloudwatch:GetMetricData", False, "denied")
        assert check["problem"]["kind"] == "denied"
        assert check["problem"]["docs"] == "docs/problems.md#denied"
        assert found["checks"][1]["ok"] and found["archive"]["ok"]

    def test_one_problem_of_several_permissions_is_printed_once(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return tuple(Health("load_balancer", name, "denied", 0, DENIED) for name in ("a", "b"))

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), None, ()))
        said = lines(run("doctor").stdout)
        assert [line.split(" (")[0] for line in said[3:5]] == [
            "✘ Elastic Load Balancing a denied, 0.0 s",
            "✘ Elastic Load Balancing b denied, 0.0 s",
        ]
        assert "\n".join(said).count("Not allowed.") == 1

    def test_a_warning_is_not_a_failure(self, demo: Migration, use_sources: Any):
        class Remarking(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "x", "up", 0, Problem("clock_skew", "cloudwatch", "x", "+42 s")),)

        use_sources(Sources((Remarking(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[3].startswith("! CloudWatch")

    def test_cloudtrail_without_permission_is_a_warning_with_its_next_step(self, demo: Migration, use_sources: Any):
        class Trail(DemoAuditLog):
            def check(self) -> tuple[Health, ...]:
                problem = Problem("denied", "cloudtrail", "cloudtrail:LookupEvents", "ap-northeast-1")
                return (Health("cloudtrail", "cloudtrail:LookupEvents", "denied", 0.1, problem),)

        use_sources(Sources((DemoMetrics(demo, anchor=ANCHOR),), None, (Trail(anchor=ANCHOR),)))
        result = run("doctor")
        assert result.exit_code == 0
        said = lines(result.stdout)
        assert "! CloudTrail cloudtrail:LookupEvents denied, 0.1 s" in said
        assert "docs/cloudtrail.md has the whole policy" in " ".join(said)

    def test_every_configuration_issue_is_printed(self, tmp_path: Path):
        path = tmp_path / "wrong.toml"
        path.write_text('[migration]\nname = "Photo"\ntimezone = "Asia/Tokio"\n', encoding="utf-8")
        for command in ("doctor", "weights", "watch"):
            result = run(command, "--config", str(path))
            assert result.exit_code == 1
            assert lines(result.stdout)[0] == f"✘ Configuration {path}"
            assert "There is no time zone “Asia/Tokio”." in result.stdout
        found = json_output(run("doctor", "--config", str(path), "--json"))
        assert (found["ok"], found["migration"], found["archive"], found["checks"]) == (False, None, None, [])
        assert "unknown_timezone" in {mistake["slug"] for mistake in found["mistakes"]}

    def test_a_missing_file_does_not_open_the_demo(self):
        result = run("doctor", "--config", "nowhere.toml")
        assert result.exit_code == 1
        assert "It cannot be read: No such file or directory." in result.stdout

    def test_an_unusable_archive_is_reported(self, demo: Migration, tmp_path: Path):
        (tmp_path / "archive.db").write_bytes(b"This is no database. " * 100)
        for words in (("doctor",), ("watch", "--once")):
            result = run(*words)
            assert result.exit_code == 1
            assert any(line.startswith("✘ Archive sqlite:///") for line in lines(result.stdout))
        assert json_output(run("doctor", "--json"))["archive"]["problem"]["kind"] == "not_a_database"

    def test_an_archive_url_is_shown_without_credentials(self):
        assert redact_url("postgresql+psycopg://me:pa@ss@db/archive?password=x") == "postgresql+psycopg://db/archive"
        assert redact_url("sqlite:///archive.db") == "sqlite:///archive.db"


class TestWeights:
    def test_the_demos_rules_and_targets(self):
        result = run("weights")
        assert result.exit_code == 0
        assert lines(result.stdout)[:11] == [
            "Photo service (demo) DEMO",
            "HTTPS:443 10 X-Canary: ecs · a door · not sticky",
            "photo-ecs-green ECS 1 100.0 %",
            "HTTPS:443 default all others · the split · not sticky",
            "photo-ec2 EC2 500 50.0 %",
            "photo-ecs-blue ECS 0 0.0 %",
            "photo-ecs-green ECS 500 50.0 %",
            "HTTP:80 default all others · redirect, to no target group",
            "photo-ec2: 4/4 healthy",
            "photo-ecs-blue: no targets",
            "photo-ecs-green: 6/6 healthy",
        ]
        assert "A blue/green deployment would fail now" in result.stdout

    def test_as_json(self):
        found = json_output(run("weights", "--json"))
        assert found["ok"] and found["demo"] and found["blue_green_blocked"]
        assert found["asked_at"] == "2026-11-23T20:17:20Z"
        assert found["told"] == {"baseline": 0.5, "canary": 0.5}
        assert [rule["role"] for rule in found["rules"]] == ["door", "split", ""]
        assert found["rules"][1]["shares"][0] == {
            "target_group": "photo-ec2",
            "fleet": "baseline",
            "weight": 500,
            "share": 0.5,
        }
        assert found["rules"][0]["conditions"] == [{"field": "http-header", "name": "X-Canary", "patterns": ["ecs"]}]
        assert [group["healthy"] for group in found["groups"]] == [4, 0, 6]
        assert found["groups"][0]["targets"][0]["state"] == "healthy"

    def test_dead_targets_are_counted_with_their_reason(self, demo: Migration, use_sources: Any):
        at = datetime.fromtimestamp(scenario_for(ANCHOR).outage.start + 300, UTC)
        use_sources(sources_at(at, demo))
        assert "photo-ecs-green: 0/6 healthy (6 unhealthy: Target.Timeout)" in run("weights").stdout

    def test_a_denied_request_is_printed_and_exits_with_1(self, demo: Migration, use_sources: Any):
        problem = replace(DENIED, source="load_balancer", operation="elasticloadbalancing:DescribeRules")

        class Refused(DemoTraffic):
            def look(self) -> TrafficSnapshot:
                return TrafficSnapshot(int(NOW.timestamp()), None, (problem,))

        use_sources(Sources((), Refused(demo, anchor=ANCHOR), ()))
        result = run("weights")
        assert result.exit_code == 1
        assert "Allow `elasticloadbalancing:DescribeRules`" in result.stdout
        found = json_output(run("weights", "--json"))
        assert (found["ok"], found["told"], found["rules"]) == (False, {}, [])
        assert found["problems"][0]["operation"] == "elasticloadbalancing:DescribeRules"

    def test_without_aws_there_are_no_weights(self, use_sources: Any):
        use_sources(Sources((), None, ()))
        result = run("weights")
        assert result.exit_code == 1
        assert "this migration has no [aws]" in result.stderr
        assert json_output(run("weights", "--json"))["ok"] is False


class TestWatch:
    def test_the_demo_once(self):
        result = run("watch", "--once")
        assert result.exit_code == 0
        said = lines(result.stdout)
        assert said[0] == "Photo service (demo) DEMO · Demo metrics · minute of 05:13 JST, data 20 s old"
        assert said[1] == "EC2 ECS ECS − EC2"
        assert said[3] == "share told 50.0 % 50.0 %"
        assert re.fullmatch(r"share seen (49|50)\.\d % (49|50)\.\d % as told", said[4])
        assert [line.split(" ")[0] for line in said[8:12]] == ["p50", "p90", "p95", "p99"]
        assert "04:32 JST alert photo: 5xx above 0.4 %" not in result.stdout  # over an hour ago

    def test_as_json_it_is_one_line(self):
        found = json_output(run("watch", "--once", "--json"))
        assert found["ok"] and found["source"] == "demo" and found["problems"] == []
        assert (found["minute"], found["data_until"]) == ("2026-11-23T20:13:00Z", "2026-11-23T20:17:00Z")
        assert found["told"] == {"baseline": 0.5, "canary": 0.5} and found["sample_ratio"] == "matches"
        assert list(found["measures"]) == [
            "requests",
            "error_rate",
            "unanswered_rate",
            "target_5xx_rate",
            "latency_p50",
            "latency_p90",
            "latency_p95",
            "latency_p99",
        ]
        p95 = found["measures"]["latency_p95"]
        assert p95["difference"] == pytest.approx(p95["canary"] - p95["baseline"])
        assert p95["low_samples"] == {"baseline": False, "canary": False}

    def test_in_the_blind_spot_unanswered_is_shown_beside_target_5xx(
        self, demo: Migration, use_sources: Any, monkeypatch: pytest.MonkeyPatch
    ):
        at = datetime.fromtimestamp(scenario_for(ANCHOR).outage.start + 13 * 60, UTC)
        use_sources(sources_at(at, demo))
        monkeypatch.setattr(cli, "utc_now", lambda: at)
        measures = json_output(run("watch", "--once", "--json"))["measures"]
        assert measures["target_5xx_rate"]["canary"] == 0
        assert measures["unanswered_rate"]["canary"] > 0.99 and measures["error_rate"]["canary"] > 0.99
        assert measures["latency_p95"]["canary"] is None and measures["latency_p95"]["baseline"] > 0.2
        said = run("watch", "--once").stdout
        assert "alert photo-ecs-green: no healthy host" in said

    def test_it_refreshes_until_interrupted(self, monkeypatch: pytest.MonkeyPatch):
        waited: list[int] = []

        def sleep(seconds: int) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(cli.time, "sleep", sleep)
        result = run("watch", "--json", "--every", "30")
        assert (result.exit_code, waited) == (0, [30, 30, 30])
        assert len([json.loads(line) for line in result.stdout.splitlines()]) == 3

    def test_a_denied_source_is_reported_and_without_data_it_exits_with_1(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def pull(self, window: Any, series: Any = None) -> Any:
                return replace(super().pull(window, ()), problems=(DENIED,), answers=())

        use_sources(
            Sources(
                (Refused(demo, anchor=ANCHOR, clock=lambda: NOW),),
                DemoTraffic(demo, anchor=ANCHOR),
                (DemoEvents(demo, anchor=ANCHOR),),
            )
        )
        result = run("watch", "--once")
        assert result.exit_code == 1
        assert "No settled numbers yet." in result.stdout
        assert "Allow `cloudwatch:GetMetricData`" in result.stdout

    def test_a_source_that_is_not_configured_is_refused(self):
        result = run("watch", "--once", "--source", "mackerel")
        assert result.exit_code == 2
        assert "There is no source mackerel in this migration. There is: demo." in " ".join(lines(result.stderr))

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
        brought = MetricsResult(frame, window(10), data_until=START + 600, last_asked_at=START + 12 * 60)
        shares = (Share("", "photo-ec2", "baseline", 900), Share("", "photo-ecs-blue", "canary", 100))
        rule = Rule("r", "l", "HTTPS:443", "default", "forward", (), shares, None)
        now = datetime.fromtimestamp(START + 12 * 60 + 5, UTC)
        seen = watch_snapshot(demo, "cloudwatch", brought, Traffic(START, (rule,), (), "r"), (), now=now)
        assert lines(rendered(snapshot_table(demo, seen)))[1:] == [
            "EC2 ECS ECS − EC2",
            "requests 900 /min 100 /min",
            "share told 90.0 % 10.0 %",
            "share seen 90.0 % 10.0 % as told",
            "error rate 1.00 % 2.00 % +1.00 pp",
            "of it unanswered 0 % 2.00 % +2.00 pp",
            "of it target 5xx 1.00 % 0 % −1.00 pp",
            "p50 – – –",
            "p90 – – –",
            "p95 200 ms 250 ms ? +50 ms",
            "p99 – – –",
            "5xx of the load balancer itself 0.20 %",
            "? stands on too few answers to be judged",
        ]
        assert snapshot_json(demo, seen)["measures"]["latency_p95"]["low_samples"] == {
            "baseline": False,
            "canary": True,
        }

    def test_after_a_weight_change_the_share_is_of_the_minutes_since(self, demo: Migration):
        requests = {
            ("baseline", "photo-ec2", "requests", "sum"): [900] * 5 + [700] + [500] * 10,
            ("canary", "photo-ecs-blue", "requests", "sum"): [100] * 5 + [300] + [500] * 10,
        }
        brought = MetricsResult(tidy_frame(requests), window(16), data_until=START + 960, last_asked_at=START + 20 * 60)
        shares = (Share("", "photo-ec2", "baseline", 500), Share("", "photo-ecs-blue", "canary", 500))
        rule = Rule("r", "l", "HTTPS:443", "default", "forward", (), shares, None)
        change = Event(START + 5 * 60 + 20, None, "weight", "10.0% → 50.0%", "", "canary", "", "load_balancer", "1")
        now = datetime.fromtimestamp(START + 20 * 60, UTC)
        seen = watch_snapshot(demo, "cloudwatch", brought, Traffic(START, (rule,), (), "r"), (change,), now=now)
        assert seen.ratio is not None
        assert (seen.ratio.verdict, seen.ratio.observed_share, seen.ratio.minutes) == ("matches", 0.5, 10)


def test_external_text_cannot_control_the_terminal(demo: Migration, use_sources: Any, monkeypatch: pytest.MonkeyPatch):
    evil = replace(DENIED, about=EVIL, detail=EVIL, operation=EVIL)
    fleet = Fleet.model_construct(label=EVIL, target_groups=("photo-ec2",), ecs_service="a/b", codedeploy="")
    fleets = demo.fleets.model_copy(update={"baseline": fleet})
    migration = demo.model_copy(update={"name": EVIL, "fleets": fleets})
    monkeypatch.setattr("sources.registry.demo_migration", lambda: migration)

    class Metrics(DemoMetrics):
        def check(self) -> tuple[Health, ...]:
            return (Health("cloudwatch", EVIL, "denied", 0, evil),)

    class Traffics(DemoTraffic):
        def look(self) -> TrafficSnapshot:
            traffic = self.traffic_at(int(NOW.timestamp()))
            door, split, other = traffic.rules
            door = replace(door, conditions=(replace(door.conditions[0], name=EVIL, patterns=(EVIL,)),))
            split = replace(split, shares=(replace(split.shares[0], target_group=EVIL), *split.shares[1:]))
            group = replace(traffic.groups[0], target_group=EVIL, targets=(Target(EVIL, 1, EVIL, EVIL, EVIL, EVIL),))
            return TrafficSnapshot(
                traffic.asked_at, replace(traffic, rules=(door, split, other), groups=(group,)), (evil,)
            )

    class Events(DemoEvents):
        def events(self, window: Any) -> Any:
            told = super().events(window)
            event = Event(int(NOW.timestamp()) - 60, None, "alert", EVIL, EVIL, "", EVIL, self.name, EVIL, open=True)
            return replace(told, events=(event,), problems=(evil,))

    def clock() -> datetime:
        return NOW

    use_sources(
        Sources(
            (Metrics(migration, anchor=ANCHOR, clock=clock),),
            Traffics(migration, anchor=ANCHOR, clock=clock),
            (Events(migration, anchor=ANCHOR, clock=clock),),
        )
    )
    for words in (("doctor",), ("weights",), ("watch", "--once")):
        result = run(*words, columns=1000)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert EVIL_PRINTED in result.stdout
        as_json = run(*words, "--json")
        assert json_output(as_json)["migration"] == EVIL
        for letter in "\x1b\x07\u202e":
            assert letter not in result.stdout and letter not in as_json.stdout


@pytest.mark.parametrize("words", [(), ("doctor",), ("weights",), ("watch",)])
def test_help_has_examples(args: tuple[str, ...]):
    result = run(*args, "--help")
    assert result.exit_code == 0
    assert f"cli.py {args[0] if args else 'doctor'}" in result.stdout


def test_every_command_option_and_key_is_documented():
    text = (Path(cli.__file__).parent / "docs" / "cli.md").read_text(encoding="utf-8")
    options = set(re.findall(r"(?m)^ +(--[a-z]+)", "".join(run(name, "--help").stdout for name in ("doctor", "watch"))))
    names = options - {"--help"}
    for name in ("doctor", "weights", "watch"):
        names |= {f"### {name}", *_keys(json_output(run(name, "--json", *(["--once"] if name == "watch" else []))))}
    assert {name for name in names if name not in text} == set()


def _keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set(value).union(*map(_keys, value.values())) if isinstance(value, dict) else set()


class TestHistory:
    def test_every_step_of_the_demo_with_author_and_dwell_time(self):
        found = json.loads(run("weights", "--history", "--demo", "--json").stdout)
        assert found["ok"] and len(found["steps"]) == 15
        first, *_, last = found["steps"]
        assert (first["before"], first["after"], first["how"], first["dwell_s"]) == (
            0.0,
            0.001,
            "terraform",
            7 * 86_400,
        )
        assert (last["after"], last["who"], last["current"], last["brief"]) == (0.5, "naoko.sato", True, False)
        assert [step["dwell_s"] // 60 for step in found["steps"] if step["brief"]] == [12, 12]

    def test_for_people_it_is_a_table(self):
        said = run("weights", "--history", "--demo").stdout
        assert "18 Oct 11:38 JST" in said
        assert re.search(r"10\.0 % → 5\.0 % +4 d 2 h +kenji\.mori, AWS CLI", said)
        assert "so far" in said and said.rstrip().endswith("blue/green deployment.")
