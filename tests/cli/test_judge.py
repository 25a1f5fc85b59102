"""`judge`: output, JSON and exit codes, with a CSV file and with the archive."""

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from unittest.mock import Mock

import pytest

import cli
from analysis import EXCLUSION_REASONS, VERDICTS, CriterionVerdict, Judgement, Phase, PhaseStart, Verdict, VerdictReason
from archive import Archive, ArchiveError
from collector.access_log_ingest import IngestProgress
from collector.access_log_worker import AccessLogWorker
from commands.shared import startup
from domain import Event, Migration, WeightChange, Window
from domain.events import weight_event
from domain.window import parse_minutes
from reports.judgement_json import evaluation_json
from services.decision import Circumstances
from services.evaluation import Evaluation, NoSuchPhaseError, select_phase
from services.phases import known_phases
from sources.access_logs.base import LocalLogs, LogSource
from sources.csv_import import CsvIssueCode
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic, demo_migration
from sources.registry import Sources, create_sources
from tests.cli.conftest import ANCHOR, DENIED, NOW, json_output, keys, lines, sources_at
from tests.cli.conftest import run as run_command
from tests.factories.frames import START
from tests.factories.sign_offs import make_sign_off

pytestmark = pytest.mark.usefixtures("demo")
run = partial(run_command, "judge")

NOW_S = int(NOW.timestamp())
SAMPLE = Path(__file__).parent.parent / "samples" / "csv" / "equal.csv"
DOCS = (Path(cli.__file__).parent / "docs" / "cli.md").read_text(encoding="utf-8")
MINUTES = 60


def csv_text(
    errors: int = 3, p95: Callable[[int], float] = lambda minute: 0.2 + minute % 3 / 100, **overrides: int
) -> str:
    """An hour of 6,000 requests a minute and side; the baseline has three errors a minute, and 200, 210, 220 ms in turns."""
    rows = ["ts,fleet,metric,stat,value"]
    for minute in range(overrides.get("minutes", MINUTES)):
        for fleet, broken, slow in (("baseline", 3, 0.2 + minute % 3 / 100), ("canary", errors, p95(minute))):
            at = 1_795_465_020 + minute * 60
            rows += [f"{at},{fleet},requests,sum,6000", f"{at},{fleet},target_5xx,sum,{broken + minute % 2}"]
            rows += [f"{at},{fleet},unanswered,sum,0", f"{at},{fleet},latency,p95,{slow}"]
            rows += [f"{at},{fleet},latency,p50,{slow / 2}", f"{at},{fleet},latency,p99,{slow * 2}"]
    return "\n".join(rows) + "\n"


class TestCsv:
    def test_the_sample_is_at_parity(self):
        result = run("--csv", str(SAMPLE))
        assert result.exit_code == 0
        output = lines(result.stdout)
        assert output[0] == "✓ CONTINUE · parity"
        assert output[1].endswith("equal.csv · 23 Nov 12:00–13:00 UTC")
        assert output[2:4] == [
            "1h · 600,245 and 600,614 requests.",
            "criterion baseline canary difference margin verdict time to decision",
        ]
        assert re.fullmatch(r"error rate 0\.017% 0\.02% −0\.\d+ … \+0\.\d+ pp ±0\.05 pp ● parity decided", output[4])
        assert output[5] == "gate 105 of 600,245 118 of 600,614"
        assert output[-2].startswith("Default margins. Set your own under [[criteria]] in migration.toml.")
        assert output[-1] == "Excluded: 10 min of warm-up after the start of the phase or a canary release."

    @pytest.mark.parametrize(
        ("csv", "verdict", "code"),
        [
            (csv_text(), "parity", 0),
            (csv_text(errors=60), "regression", 1),
            (csv_text(p95=lambda minute: 0.4 + minute % 3 / 100), "regression", 1),
            (csv_text(p95=lambda minute: 0.1 + minute % 3 / 100), "improvement", 0),
            (csv_text(errors=6), "undecided", 2),
            (csv_text(minutes=5), "not enough data", 2),
            (re.sub(r"(?m)^\d+,canary,.*\n", "", csv_text()), "not enough data", 2),
            (re.sub(r"(target_5xx,sum),\d+", r"\1,0", csv_text()), "not enough data", 2),
        ],
    )
    def test_the_exit_code_follows_the_verdict(self, csv: str, verdict: str, code: int):
        result = run("--csv", "-", "--json", stdin=csv)
        data = json_output(result)
        assert (data["verdict"], data["exit_code"], result.exit_code) == (verdict, code, code)
        assert data["ok"] == (code == 0)
        assert run("--csv", "-", stdin=csv).exit_code == code

    def test_criteria_of_ones_own_are_judged_by_their_names(self, tmp_path: Path):
        own = (
            '[[criteria]]\nname = "uploads"\nsource = "mackerel"\nbaseline = "service(photo, a)"\n'
            'canary = "service(photo, b)"\nbetter = "equal"\nmargin = 5\n'
        )
        config = tmp_path / "own.toml"
        config.write_text(f"{CONFIGURED}{own}", encoding="utf-8")
        first, *lines = csv_text().splitlines()
        times = sorted({line.split(",")[0] for line in lines})
        uploads = [
            f"{ts},{fleet},uploads,value,{50 + minute % 3 - (fleet == 'canary') * 30}"
            for minute, ts in enumerate(times)
            for fleet in ("baseline", "canary")
        ]
        data = json_output(
            run("--csv", "-", "--config", str(config), "--json", stdin="\n".join([first, *lines, *uploads]))
        )
        criterion = data["criteria"][1]
        assert (criterion["metric"], criterion["verdict"]) == ("uploads", "regression")
        assert criterion["estimate"] == pytest.approx(-30)

    def test_the_json(self, tmp_path: Path):
        (tmp_path / "file.csv").write_text(csv_text(), encoding="utf-8")
        data = json_output(run("--csv", "file.csv", "--json"))
        assert (data["name"], data["source"], data["demo"], data["phase"]) == ("file.csv", "csv", False, None)
        assert data["window"] == {"from": "2026-11-23T20:17:00Z", "to": "2026-11-23T21:17:00Z"}
        assert data["default_criteria"] and data["problems"] == []
        assert [item["metric"] for item in data["criteria"]] == [
            "error_rate",
            "latency_p50",
            "latency_p95",
            "latency_p99",
        ]
        errors, _, p95, _ = data["criteria"]
        assert (errors["verdict"], errors["reason"], errors["minutes_to_decision"]) == ("parity", "inside_margin", 0)
        assert errors["lower"] <= errors["estimate"] == 0 <= errors["upper"]
        assert (errors["margin"], errors["margin_given"], errors["critical"]) == (0.0005, "0.05 pp", True)
        assert errors["baseline"] == errors["canary"] == pytest.approx(175 / 300_000)
        assert errors["events"] == {"baseline": 175, "canary": 175}
        assert errors["requests"] == {"baseline": 300_000, "canary": 300_000}
        assert errors["minutes"] == 50 and errors["excluded"].pop("warm_up") == 10
        assert set(errors["excluded"].values()) == {0}
        assert data["context"]["warm_up"] == [{"from": "2026-11-23T20:17:00Z", "to": "2026-11-23T20:27:00Z"}]
        assert errors["sentence"].startswith("canary − baseline error rate: 95% CI ")
        assert p95["events"] is None and p95["baseline"] == pytest.approx(0.21, rel=0.01)

    def test_a_fleet_that_is_not_in_the_file_is_not_0(self):
        csv = re.sub(r"(?m)^\d+,canary,.*\n", "", csv_text())
        result = run("--csv", "-", stdin=csv)
        assert ("1h. baseline: 360,000 requests. The CSV has no requests of canary in this window.") in lines(
            result.stdout
        )
        data = json_output(run("--csv", "-", "--json", stdin=csv))
        assert data["fleets"]["canary"]["state"] == "not_asked" and data["fleets"]["canary"]["requests"] is None
        assert data["criteria"][0]["requests"] == {"baseline": None, "canary": None}

    def test_row_order_and_line_endings_change_nothing(self):
        head, *rows = csv_text(errors=5).splitlines()
        random.Random(3).shuffle(rows)
        shuffled = "\ufeff" + "\r\n".join((head, *rows))
        assert (
            run("--csv", "-", "--json", stdin=shuffled).stdout
            == run("--csv", "-", "--json", stdin=csv_text(errors=5)).stdout
        )

    def test_swapped_fleets_mirror_the_verdict(self):
        csv = csv_text(errors=60)
        other = {"baseline": "canary", "canary": "baseline"}
        swapped = re.sub("baseline|canary", lambda match: other[match[0]], csv)
        worse, better = (
            json_output(run("--csv", "-", "--json", stdin=csv)),
            json_output(run("--csv", "-", "--json", stdin=swapped)),
        )
        assert (worse["verdict"], better["verdict"]) == ("regression", "improvement")
        assert worse["criteria"][0]["lower"] == pytest.approx(-better["criteria"][0]["upper"])

    def test_a_window_is_the_last_of_the_file(self):
        data = json_output(run("--csv", "-", "--json", "--window", "20m", stdin=csv_text()))
        assert data["window"]["from"] == "2026-11-23T20:57:00Z"
        assert data["criteria"][0]["minutes"] == 20

    def test_the_criteria_and_labels_of_a_configuration_apply(self, tmp_path: Path):
        (tmp_path / "migration.toml").write_text(CONFIGURED, encoding="utf-8")
        data = json_output(run("--csv", "-", "--config", "migration.toml", "--json", stdin=csv_text()))
        assert not data["default_criteria"]
        (only,) = data["criteria"]
        assert (only["metric"], only["margin_given"]) == ("latency_p95", "500 ms")
        assert only["sentence"].startswith("new − old p95: 95% CI ") and only["verdict"] == "parity"
        assert "baseline" not in run("--csv", "-", "--config", "migration.toml", stdin=csv_text()).stdout

    def test_every_invalid_line_is_reported_and_nothing_is_judged(self):
        result = run(
            "--csv", "-", stdin=csv_text() + "1795465020,ecs,requests,sum,1\n2026-11-23,canary,requests,sum,1\n"
        )
        assert result.exit_code == 3
        assert lines(result.stdout) == [
            "✘ standard input",
            "line 722. Unknown fleet “ecs”.",
            "→ Use `baseline` for the old fleet and `canary` for the new one. docs/cli.md#a-csv-of-your-own",
            "line 723. “2026-11-23” has no time zone.",
            "→ Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`. docs/cli.md#a-csv-of-your-own",
        ]
        data = json_output(run("--csv", "-", "--json", stdin="ts;fleet;metric;stat;value\n"))
        assert (data["ok"], data["verdict"], data["exit_code"], data["csv"]) == (False, None, 3, "standard input")
        assert [(item["line"], item["code"]) for item in data["issues"]] == [(1, "other_separator")]
        assert "Stopped after 20 errors." in run("--csv", "-", stdin="ts,fleet,metric,stat,value\n" + "x\n" * 99).stdout

    def test_a_missing_file_is_reported(self):
        for path, reason in (("nowhere.csv", "No such file or directory"), (".", "Is a directory")):
            result = run("--csv", path)
            assert result.exit_code == 3
            assert f"Cannot be read: {reason}." in result.stdout

    def test_it_needs_neither_an_archive_nor_a_source(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setattr(startup, "create_sources", lambda *_, **__: pytest.fail("asked for sources"))
        assert run("--csv", str(SAMPLE)).exit_code == 0
        assert not list(tmp_path.glob("*.db"))

    @pytest.mark.parametrize("option", [("--watch",), ("--phase", "2"), ("--source", "demo")])
    def test_options_that_a_csv_does_not_have_are_rejected(self, option: tuple[str, ...]):
        result = run("--csv", str(SAMPLE), *option)
        assert result.exit_code == 3
        assert "a CSV has no phases or sources" in " ".join(lines(result.stderr))


def with_silence(first: int = 40, minutes: int = 3, share: float | None = 0.5, alb_503: int | None = None) -> str:
    """An hour at parity in which no target of the canary received anything for some minutes."""
    rows = csv_text().splitlines()
    silent = range(1_795_465_020 + first * 60, 1_795_465_020 + (first + minutes) * 60, 60)
    rows = [row for row in rows if not any(row.startswith(f"{at},canary") for at in silent)]
    if share is not None:
        rows.append(f"1795465020,canary,share,configured,{share}")
    if alb_503 is not None:
        rows += [f"{at},load_balancer,alb_503,sum,{alb_503}" for at in silent]
    return "\n".join(rows) + "\n"


class TestContextOfACsv:
    def test_a_silent_canary_with_a_share_failed(self):
        args = ("--csv", "-", "--json")
        assert json_output(run(*args, stdin=with_silence(share=None)))["verdict"] == "parity"
        for csv, uncounted in ((with_silence(), 18_000), (with_silence(alb_503=7), 21)):
            # 7 are too few for an incident: it is known a minute later, from the first of them.
            data = json_output(run(*args, stdin=csv))
            assert (data["exit_code"], [incident["uncounted"] for incident in data["incidents"]]) == (2, [uncounted])
        for csv in (with_silence(share=0.0), with_silence(alb_503=0)):
            assert json_output(run(*args, stdin=csv))["verdict"] == "parity"

    @pytest.mark.parametrize(("warm_up", "minutes"), [("0", 0), ("10m", 10), ("1h", 60)])
    def test_the_start_is_warm_up(self, warm_up: str, minutes: int, tmp_path: Path):
        data = json_output(run("--csv", "-", "--json", "--warm-up", warm_up, stdin=csv_text(minutes=90)))
        assert data["criteria"][0]["excluded"]["warm_up"] == minutes
        config = CONFIGURED.replace('name = "Mine"', f'name = "Mine"\nwarm_up = "{warm_up}"')
        (tmp_path / "migration.toml").write_text(config, encoding="utf-8")
        data = json_output(run("--csv", "-", "--json", "--config", "migration.toml", stdin=csv_text(minutes=90)))
        assert data["criteria"][0]["excluded"]["warm_up"] == minutes

    def test_so_is_the_time_after_a_change_of_the_share(self):
        shares = [f"{1_795_465_020 + minute * 60},canary,share,configured,0.{minute}" for minute in (25, 50)]
        csv = csv_text(minutes=90) + "\n".join(shares) + "\n"
        (errors, *_) = json_output(run("--csv", "-", "--json", stdin=csv))["criteria"]
        assert errors["excluded"]["warm_up"] == 20

    def test_invalid_options_are_refused(self, tmp_path: Path):
        (tmp_path / "other.json").write_text("{}", encoding="utf-8")
        for args, message in (
            (("--csv", str(SAMPLE), "--warm-up", "soon"), "Invalid warm-up “soon”"),
            (("--csv", str(SAMPLE), "--context", "other.json"), "judgement.json of the evidence file"),
            (("--csv", str(SAMPLE), "--context", "nowhere.json"), "judgement.json of the evidence file"),
            (
                ("--csv", str(SAMPLE), "--context", "other.json", "--warm-up", "5m"),
                "use --warm-up or --context, not both",
            ),
            (("--trace",), "Only available with --csv"),
            (("--warm-up", "5m"), "Only available with --csv"),
        ):
            result = run(*args)
            assert result.exit_code == 3 and message in " ".join(lines(result.stderr)), args


class TestTrace:
    def test_a_row_a_minute_and_the_last_one_is_the_judgement(self):
        result = run("--csv", str(SAMPLE), "--trace")
        head, *rows = (line.split(",") for line in result.stdout.splitlines())
        assert head[:8] == [
            *("ts", "verdict", "decision"),
            *(f"error_rate.{name}" for name in ("verdict", "estimate", "low", "high")),
            "latency_p50.verdict",
        ]
        assert len(rows) == 60 and {len(row) for row in rows} == {len(head)}
        assert rows[0][:7] == ["2026-11-23T12:00:00Z", "not enough data", "wait", "not enough data", "", "", ""]
        assert rows[-1][:3] == ["2026-11-23T12:59:00Z", "parity", "continue"]
        (errors, *_) = json_output(run("--csv", str(SAMPLE), "--json"))["criteria"]
        assert [float(cell) for cell in rows[-1][4:7]] == pytest.approx(
            [errors["estimate"], errors["lower"], errors["upper"]]
        )
        assert result.exit_code == 0

    def test_json_is_an_object_a_line(self):
        result = run("--csv", str(SAMPLE), "--trace", "--json")
        first, *_, last = map(json.loads, result.stdout.splitlines())
        assert first["criteria"][0] == dict(
            metric="error_rate", verdict="not enough data", estimate=None, low=None, high=None
        )
        assert (last["ts"], last["verdict"], last["decision"]) == ("2026-11-23T12:59:00Z", "parity", "continue")

    @pytest.mark.parametrize(
        "csv",
        [
            with_silence(),
            csv_text(errors=60),
            csv_text(errors=6),
            csv_text(p95=lambda minute: 0.2 if minute < 30 else 0.5),
        ],
        ids=["a silent canary", "errors", "few errors", "a break"],
    )
    def test_each_row_is_what_was_said_then(self, csv: str):
        rows = [json.loads(line) for line in run("--csv", "-", "--trace", "--json", stdin=csv).stdout.splitlines()]
        head, *body = csv.splitlines()
        for minute in (12, 25, 41, 42, 44, 59):
            end = 1_795_465_020 + (minute + 1) * 60
            then = "\n".join([head, *(row for row in body if int(row.partition(",")[0]) < end)])
            said = json_output(run("--csv", "-", "--json", stdin=then))
            assert rows[minute]["verdict"] == said["verdict"], minute
            assert [item["verdict"] for item in rows[minute]["criteria"]] == [
                item["verdict"] for item in said["criteria"]
            ]

    def test_the_decision_follows_an_incident(self):
        output = run("--csv", "-", "--trace", stdin=with_silence()).stdout.splitlines()
        decisions = [line.split(",")[2] for line in output[1:]]
        assert decisions[39:46] == ["continue", "hold", "roll_back", "roll_back", "hold", "hold", "hold"]


CONFIGURED = """
[migration]
name = "Mine"
[mackerel]
service = "mine"
[fleets.baseline]
label = "old"
target_groups = ["old"]
[fleets.canary]
label = "new"
target_groups = ["new"]
[[criteria]]
metric = "latency_p95"
margin = "500ms"
"""


class TestPhases:
    def test_the_demos_current_phase(self):
        result = run()
        assert result.exit_code == 2
        output = lines(result.stdout)
        assert output[:2] == ["■ HOLD · 1 route regressed", "Route /v1/albums/:id/share regressed. See Endpoints."]
        assert output[2] == "Photo service (demo) DEMO · 23 Nov 22:52 – 24 Nov 05:17 JST"
        assert output[3].startswith("50:50 for 6h 25m · ")
        assert output[4] == "criterion EC2 ECS difference margin verdict time to decision"
        assert re.match(r"Excluded: \d min still provisional", output[-1])
        data = json_output(run("--json", "--phase", "current"))
        assert data["window"] == {"from": "2026-11-23T13:52:00Z", "to": "2026-11-23T20:17:00Z"}
        assert data["phase"] == {
            "number": None,
            "name": None,
            "from": "2026-11-23T13:50:00Z",
            "to": "2026-11-23T20:17:00Z",
            "canary_share": 0.5,
            "started_by": "weight",
            "origin": "read",
            "outcome": "running",
            "requests": {"baseline": 2_526_911, "canary": 2_527_840},
            "errors": {"baseline": 6131, "canary": 6031},
            "error_budget": {  # unknown: the archive has 6 h 20 min
                "slo": "99.5% over 30d",
                "errors": None,
                "traffic_of_s": 22_800,
                "burned": {"baseline": None, "canary": None},
            },
        }
        assert data["source"] == "demo" and data["data_until"] == "2026-11-23T20:17:00Z"

    def test_a_phase_by_number_is_judged_in_full(self):
        data = json_output(run("--json", "--phase", "2"))
        third = scenario_for(ANCHOR).steps[2]
        assert {key: data["phase"][key] for key in ("number", "name", "canary_share", "started_by")} == {
            "number": 2,
            "name": "2 · 1%",
            "canary_share": 0.01,
            "started_by": "weight",
        }
        end = datetime.fromisoformat(data["window"]["to"])
        assert end <= datetime.fromtimestamp(scenario_for(ANCHOR).steps[3].ts, UTC) and end > datetime.fromtimestamp(
            third.ts, UTC
        )
        assert {criterion["minutes_to_decision"] for criterion in data["criteria"]} <= {0, None}, "the phase is over"
        # All of the phase, which lasted for nine days, is evidence.
        assert datetime.fromisoformat(data["window"]["from"]) == datetime.fromtimestamp(third.ts + 120, UTC)
        assert end - datetime.fromisoformat(data["window"]["from"]) > timedelta(days=8)

    @pytest.mark.parametrize("name", ["2", "2 · 1%", "2 · 1%", " 2 ·1%"])
    def test_a_phase_has_a_number_and_a_name(self, name: str):
        phases = [Phase(Window(0, 600), 0.1, "weight", number=1), Phase(Window(600, 1200), 0.01, "weight", number=2)]
        assert select_phase(phases, name) is phases[1]

    @pytest.mark.parametrize("name", ["0", "3", "2 · 10%", "2 · ten", "1.0%", "-1"])
    def test_another_number_or_share_is_no_phase(self, name: str):
        phases = [Phase(Window(0, 600), 0.1, "weight", number=1), Phase(Window(600, 1200), 0.01, "weight", number=2)]
        with pytest.raises(NoSuchPhaseError):
            select_phase(phases, name)

    def test_a_window_is_judged_whatever_changed_in_it(self):
        data = json_output(run("--json", "--window", "2h"))
        assert data["window"] == {"from": "2026-11-23T18:17:00Z", "to": "2026-11-23T20:17:00Z"}
        assert data["phase"] is None

    @pytest.mark.parametrize(
        ("text", "minutes"),
        [("45m", 45), ("90min", 90), ("3h", 180), ("1h30m", 90), ("2d", 2880), ("1d 2h 3m", 1563), (" 3H ", 180)],
    )
    def test_durations_are_parsed(self, text: str, minutes: int):
        assert parse_minutes(text) == minutes

    @pytest.mark.parametrize("text", ["", "0m", "3", "h", "-3h", "3h later", "3s", "1.5h", "٣h x"])
    def test_invalid_durations_are_rejected(self, text: str):
        assert parse_minutes(text) is None

    def test_without_a_known_change_it_is_the_last_day(self):
        end = START + 40 * 86_400
        (only,) = known_phases((), end=end)
        assert only.started_by == "window" and only.judged_window == Window(end - 86_400, end)

    def test_it_begins_with_the_last_change_of_weight_or_deployment_of_the_canary(self):
        end = START + 86_400
        weight, deployment = weight_event(step(end - 7200)), deployed(end - 3600)
        assert known_phases((weight,), end=end)[-1].judged_window == Window(end - 7200 + 120, end)
        assert known_phases((weight, deployment), end=end)[-1] == Phase(
            Window(end - 3600, end),
            0.5,
            "deployment",
            3600,
            judged=Window(end - 3480, end),
            number=2,
            outcome="running",
        )

    def test_right_after_a_change_nothing_is_judged_by_the_phase_before(self):
        end = START + 86_400
        known = known_phases((weight_event(step(end - 30)),), end=end)
        assert [phase.window for phase in known] == [Window(end - 60, end)]


def step(ts: int) -> WeightChange:
    return WeightChange(ts, ts, 0.25, 0.5, operation="ModifyRule")


def deployed(ts: int) -> Event:
    return Event(ts, None, "deployment", "", "", "canary", "", "test", f"{ts}")


class TestYoungPhase:
    def test_no_minute_is_final(self, set_now: Callable[[datetime], None], demo: Migration, use_sources: Any):
        at = datetime.fromtimestamp(scenario_for(ANCHOR).steps[-1].ts, UTC) + timedelta(minutes=4, seconds=20)
        use_sources(sources_at(at, demo))
        set_now(at)
        result = run()
        assert result.exit_code == 2
        assert re.search(
            r"(?m)^[\d:]+ for \d min\. No final minutes of EC2 and ECS yet: recent minutes may still change\.$",
            "\n".join(lines(result.stdout)),
        )
        data = json_output(run("--json"))
        assert {name: (state["state"], state["requests"]) for name, state in data["fleets"].items()} == {
            "baseline": ("not_yet", None),
            "canary": ("not_yet", None),
        }
        assert {item["reason"] for item in data["criteria"]} == {"not_yet"}


@pytest.fixture
def use_logs(demo: Migration, use_sources: Any) -> Callable[[LogSource | None], None]:
    """Replaces the access logs of the demo."""
    return lambda logs: use_sources(replace(create_sources(demo, anchor=ANCHOR), logs=logs))


class TestAccessLogs:
    """The command decides as the pages do, though no page requests the logs: it counts those of the phase itself."""

    def test_routes_that_nobody_counted_are_counted(self):
        assert [item["code"] for item in json_output(run("--json"))["reasons"]] == ["route_regression"]

    def test_without_configured_logs_the_criteria_decide(self, use_logs: Any):
        use_logs(None)
        assert run().exit_code == 0

    def test_logs_that_cannot_be_read_are_awaited(self, use_logs: Any, tmp_path: Path):
        use_logs(LocalLogs(tmp_path / "nowhere"))
        result = run()
        assert result.exit_code == 2
        assert lines(result.stdout)[:2] == [
            "◐ WAIT · access logs unreadable",
            "Access logs could not be read: routes not judged. See Endpoints.",
        ]
        data = json_output(run("--json"))
        assert [item["code"] for item in data["reasons"]] == ["routes_unreadable"]
        assert [problem["source"] for problem in data["problems"]] == ["access_logs"]

    def test_logs_that_were_not_delivered_yet_are_awaited(self, use_logs: Any, tmp_path: Path):
        use_logs(LocalLogs(tmp_path))
        result = run()
        assert result.exit_code == 2
        assert lines(result.stdout)[:2] == ["◐ WAIT · routes not judged yet", "Routes not judged yet."]

    def test_counting_has_a_limit_and_the_next_call_goes_on(self, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as patch:
            patch.setattr("commands.shared.context.MAX_COUNTING_S", -1.0)
            assert lines(run().stdout)[0] == "◐ WAIT · routes not judged yet"
        assert lines(run().stdout)[0] == "■ HOLD · 1 route regressed"

    @pytest.mark.parametrize("outcome", [ArchiveError("full", "disk full"), IngestProgress(Window(0, 60), "busy")])
    def test_counts_that_cannot_be_saved_or_are_of_another_process_are_awaited(
        self, monkeypatch: pytest.MonkeyPatch, outcome: ArchiveError | IngestProgress
    ):
        assert lines(run().stdout)[0] == "■ HOLD · 1 route regressed"
        monkeypatch.setattr(AccessLogWorker, "count", Mock(side_effect=[outcome]))
        monkeypatch.setattr("commands.shared.context.judge_logs", lambda *_, **__: Mock(endpoints=Mock(routes=())))
        result = run()
        assert (result.exit_code, lines(result.stdout)[0]) == (2, "◐ WAIT · routes not judged yet")

    def test_a_repeated_evaluation_counts_for_half_of_the_interval(self, monkeypatch: pytest.MonkeyPatch):
        clock, stops = iter([100.0, 114.0, 116.0]), list[bool]()

        def count(
            _worker: AccessLogWorker, _window: Window, _on_progress: object, should_stop: Callable[[], bool]
        ) -> None:
            stops.extend((should_stop(), should_stop()))

        monkeypatch.setattr(AccessLogWorker, "count", count)
        monkeypatch.setattr("commands.shared.context.time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr("commands.shared.context.evaluate", lambda *_, **__: evaluation("parity"))
        assert (run("--watch", "--every", "30").exit_code, stops) == (0, [False, True])

    def test_a_phase_of_the_past_is_not_counted_anew(self, use_logs: Any, tmp_path: Path):
        use_logs(LocalLogs(tmp_path / "nowhere"))
        assert not {"routes_unreadable", "routes_pending"} & {
            item["code"] for item in json_output(run("--json", "--phase", "2"))["reasons"]
        }


class TestWatch:
    def test_it_exits_once_decided(self, monkeypatch: pytest.MonkeyPatch, use_logs: Any):
        use_logs(None)
        monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited for nothing"))
        assert run("--watch").exit_code == 0

    def test_it_judges_again_until_then(self, monkeypatch: pytest.MonkeyPatch):
        verdicts, waited = iter(["not enough data", "undecided", "regression"]), list[int]()
        monkeypatch.setattr("commands.shared.context.evaluate", lambda *_, **__: evaluation(next(verdicts)))  # type: ignore[arg-type]
        monkeypatch.setattr(time, "sleep", waited.append)
        result = run("--watch", "--every", "30", "--json")
        assert (result.exit_code, waited) == (1, [30, 30])
        assert [json.loads(line)["exit_code"] for line in result.stdout.splitlines()] == [2, 2, 1]

    def test_interrupted_it_exits_with_the_last_result(self, monkeypatch: pytest.MonkeyPatch):
        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("commands.shared.context.evaluate", lambda *_, **__: evaluation("undecided"))
        monkeypatch.setattr(time, "sleep", interrupted)
        assert run("--watch").exit_code == 2


def evaluation(verdict: Verdict, **overrides: Any) -> Evaluation:
    criterion = CriterionVerdict(CRITERIA[0], verdict, "inconclusive", lower=float("-inf"), upper=0.1)
    labels = {"baseline": "EC2", "canary": "ECS"}
    return Evaluation(
        Judgement(verdict, (criterion,)), Window(START, START + 3600), "x", "demo", labels, UTC, **overrides
    )  # type: ignore[arg-type]


CRITERIA = demo_migration(ANCHOR).criteria


class TestUnavailable:
    def test_every_verdict_has_its_code(self):
        codes = {verdict: evaluation(verdict).decision.exit_code for verdict in VERDICTS}
        assert codes == {"parity": 0, "improvement": 0, "regression": 1, "undecided": 2, "not enough data": 2}
        stale = evaluation("parity", circumstances=Circumstances("stale"))
        assert stale.decision.exit_code == 3 and not stale.is_decided

    @pytest.mark.parametrize(
        "args",
        [("--window", "soon"), ("--window", "15d"), ("--phase", "99"), ("--phase", "last"), ("--nonsense",), ("--every", "1"),
         ("--window", "3h", "--phase", "2"), ("--source", "mackerel")],
    )  # fmt: skip
    def test_an_invalid_option_is_not_a_verdict(self, args: tuple[str, ...]):
        result = run(*args)
        assert result.exit_code == 3 and args[-2 if len(args) > 1 else 0] in result.stderr

    def test_an_invalid_configuration(self, tmp_path: Path):
        (tmp_path / "wrong.toml").write_text('[migration]\nname = "Photo"\n', encoding="utf-8")
        for more in ((), ("--csv", str(SAMPLE))):
            result = run("--config", "wrong.toml", *more)
            assert result.exit_code == 3
            assert "✘ Configuration wrong.toml" in lines(result.stdout)
        assert run("--config", "nowhere.toml").exit_code == 3

    def test_an_archive_that_cannot_be_opened(self, tmp_path: Path):
        (tmp_path / "archive.db").write_bytes(b"This is no database. " * 100)
        result = run()
        assert result.exit_code == 3
        assert any(line.startswith("✘ Archive sqlite:///") for line in lines(result.stdout))

    @pytest.fixture
    def deny_metrics(
        self, demo: Migration, monkeypatch: pytest.MonkeyPatch, use_sources: Callable[[Sources], None]
    ) -> Callable[[], None]:
        """Denies every request for metrics."""

        class Refused(DemoMetrics):
            def pull(self, window: Any, series: Any = None) -> Any:
                return replace(super().pull(window, ()), problems=(DENIED,), answered_ranges=())

        def clock() -> datetime:
            return startup.now()

        sources = Sources(
            (Refused(demo, anchor=ANCHOR, clock=clock),),
            DemoTraffic(anchor=ANCHOR, clock=clock),
            (DemoEvents(anchor=ANCHOR, clock=clock),),
        )
        return lambda: use_sources(sources)

    def test_a_denied_source(self, deny_metrics: Callable[[], None]):
        deny_metrics()
        result = run()
        assert result.exit_code == 3
        output = lines(result.stdout)
        assert output[0] == "○ NO DATA · no data for this window"
        assert "Requests of EC2 and ECS are unknown: Demo metrics could not be read." in " ".join(output)
        assert "Allow `cloudwatch:GetMetricData`" in result.stdout
        data = json_output(run("--json"))
        assert [state["requests"] for state in data["fleets"].values()] == [None, None]
        assert {(item["reason"], item["requests"]["baseline"]) for item in data["criteria"]} == {("unknown", None)}
        assert (data["ok"], data["verdict"], data["exit_code"]) == (False, None, 3)
        assert data["problems"][0]["kind"] == "denied"

    def test_stale_data_is_not_judged(
        self, deny_metrics: Callable[[], None], monkeypatch: pytest.MonkeyPatch, set_now: Callable[[datetime], None]
    ):
        assert run().exit_code == 2
        deny_metrics()
        for minutes, code in ((10, 2), (30, 3)):
            later = NOW + timedelta(minutes=minutes)
            set_now(later)
            assert run().exit_code == code
        assert lines(run().stdout)[0] == "○ NO DATA · data is stale"
        assert json_output(run("--json"))["verdict"] is None

    def test_a_past_phase_is_judged_from_the_archive_alone(self, deny_metrics: Callable[[], None]):
        assert run("--phase", "8").exit_code in (0, 1, 2)
        before = json_output(run("--phase", "8", "--json"))
        deny_metrics()
        after = json_output(run("--phase", "8", "--json"))
        assert (after["verdict"], after["criteria"]) == (before["verdict"], before["criteria"])


def test_json_has_no_infinity():
    (only,) = evaluation_json(evaluation("undecided"))["criteria"]
    assert (only["lower"], only["upper"]) == (None, 0.1)


def test_external_text_cannot_control_the_terminal(
    demo: Migration, monkeypatch: pytest.MonkeyPatch, set_demo: Callable[[Migration], None]
):
    evil = "evil \x1b[2J\x07 [red]name[/red] \u202e"
    set_demo(demo.model_copy(update={"name": evil}))
    for options in ((), ("--csv", evil)):
        result, as_json = run(*options), run(*options, "--json")
        assert "evil [2J [red]name[/red]" in result.stdout
        for letter in "\x1b\x07\u202e":
            assert letter not in result.stdout and letter not in as_json.stdout


def test_help_documents_the_exit_codes():
    result = run("--help")
    assert result.exit_code == 0
    assert (
        "1  ROLL BACK: a gate criterion regressed" in result.stdout
        and "cli.py judge --csv numbers.csv" in result.stdout
    )


def test_every_option_key_and_code_is_documented():
    section = DOCS[DOCS.index("### judge") :]
    for option in set(re.findall(r"(?m)^ +(--[a-z]+)", run("--help").stdout)) - {"--help"}:
        assert f"`{option}" in DOCS, option
    wrong = json_output(run("--csv", "-", "--json", stdin="x"))
    documented_elsewhere = {"schema"}
    for key in (
        keys(json_output(run("--json"))) | keys({**wrong, "issues": [{"line": 0, "code": 0}]})
    ) - documented_elsewhere:
        assert f"`{key}`" in section, key
    for slug in get_args(CsvIssueCode):
        assert f"`{slug}`" in section, slug


def test_every_json_value_is_documented():
    section = DOCS[DOCS.index("### judge") :]
    for value in (*VERDICTS, *get_args(VerdictReason), *EXCLUSION_REASONS, *get_args(PhaseStart)):
        assert f"`{value}`" in section, value


def test_the_sign_offs_of_the_phase_are_in_the_json_and_in_the_terminal(demo: Migration):
    phase = Window(*(int(datetime.fromisoformat(at).timestamp()) for at in ("2026-11-23T13:52Z", "2026-11-23T20:00Z")))
    before = Window(phase.start - 3600, phase.start)
    assert json_output(run("--json"))["sign_offs"] == []
    with Archive.open(demo.archive, demo) as archive:
        archive.sign_offs.add(make_sign_off(before, name="Taro"))
        row = archive.sign_offs.add(make_sign_off(phase, decision="hold", verified=False, margins_since=None))
    data = json_output(run("--json"))
    (signed,) = data["sign_offs"]
    assert signed == {
        "sequence": 2,
        "name": "Mika",
        "email": "mika@example.com",
        "verified": False,
        "signed_at": "2026-11-23T20:01:00Z",
        "decision": "hold",
        "verdict": "parity",
        "sentence": "On to 50%.",
        "evidence_sha256": "ab" * 32,
        "window": {"from": "2026-11-23T13:52:00Z", "to": "2026-11-23T20:00:00Z"},
        "margins": {"error_rate": "0.5 pp", "latency_p95": "20 ms"},
        "margin_changes": [],
        "margins_since": None,
        "hash": row.hash,
        "problem": None,
    }
    assert data["ledger"] == {"intact": True, "sign_offs": 2, "last_hash": row.hash, "problems": []}
    printed = lines(run().stdout)
    assert "Signed by Mika, 05:01 JST: ■ HOLD" in printed
    assert not any("Taro" in line for line in printed)
