"""Probes: which rule leads to which fleet, what is refused, and what is compared."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from archive import Archive, ArchiveError, ArchiveProblem
from domain import Rule, Traffic
from domain.conditions import Condition
from domain.config.probe import Probe
from domain.probe import ProbeRefusal, ProbeResult
from domain.traffic import Share
from messages import probe as text
from services.probe import Plan, plan_probe, run_probe
from services.probing import ProbePlans, ProbeRunner, latest_results, run_probes
from sources.base import Health, Problem, TrafficSnapshot
from sources.probe import ProbeClient
from tests.factories import archives
from tests.factories.archives import MIGRATION
from tests.factories.findings import probe_result
from tests.fakes.probed_site import ProbedSite

DNS = "photo-1.ap-northeast-1.elb.amazonaws.com"
NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
ADDRESSES = {DNS: "127.0.0.1", "photo.example.com": "127.0.0.1", "evil.example": "192.0.2.66"}


def resolve(host: str) -> frozenset[str]:
    return frozenset({ADDRESSES[host]} if host in ADDRESSES else ())


def rule(arn: str, conditions: tuple[Condition, ...], baseline: int, canary: int, port: int = 80) -> Rule:
    shares = (Share("arn:ec2", "photo-ec2", "baseline", baseline), Share("arn:ecs", "photo-ecs", "canary", canary))
    return Rule(
        arn, "arn:listener", f"HTTP:{port}", "default" if arn == "split" else "1", "forward", conditions, shares, None
    )


def traffic(
    *conditions: Condition, baseline: int = 100, canary: int = 0, port: int = 80, header: str = "ecs"
) -> Traffic:
    header_rule = rule("header rule", (Condition("http-header", "X-Canary", (header,)), *conditions), 0, 1, port)
    return Traffic(0, (header_rule, rule("split", (), baseline, canary, port)), (), "split")


def plan(probe: Probe, rules: Traffic | None) -> Plan:
    return plan_probe(probe, rules, DNS, resolve)


def test_each_fleet_has_its_rule() -> None:
    result = plan(Probe(path="/"), traffic())
    assert (result.refusal, result.host, result.address) == ("", DNS, "127.0.0.1")
    assert result.request("baseline").headers == ()
    assert result.request("canary").headers == (("X-Canary", "ecs"),)


@pytest.mark.parametrize(
    ("probe", "rules", "refusal"),
    [
        (Probe(path="/"), None, "no_traffic"),
        (Probe(path="/"), traffic(baseline=90, canary=10), "not_told_apart"),
        (Probe(path="/"), traffic(header="~^ecs-[0-9]+$"), "regex_header"),
        (Probe(path="/", header="X-Canary: ecs-a"), traffic(header="~^ecs-[0-9]+$"), "no_header_rule"),
        (Probe(path="/", header="X-Canary: other"), traffic(), "no_header_rule"),
        (Probe(path="/"), traffic(Condition("path-pattern", "", ("/api/*",))), "other_path"),
        (Probe(path="/", host="evil.example"), traffic(), "foreign_host"),
        (Probe(path="/", host="unknown.example"), traffic(), "foreign_host"),
        (
            Probe(path="/", host="photo.example.com"),
            traffic(Condition("host-header", "", ("other.example.com",))),
            "no_header_rule",
        ),
        (Probe(path="/"), traffic(Condition("host-header", "", ("evil.example",))), "foreign_host"),
        (Probe(path="/"), traffic(Condition("source-ip", "", ("192.0.2.0/24",))), "no_header_rule"),
    ],
)
def test_refused(probe: Probe, rules: Traffic | None, refusal: ProbeRefusal) -> None:
    result = plan(probe, rules)
    assert result.refusal == refusal
    with pytest.raises(ValueError, match="refused"):
        result.request("canary")
    assert run_probe(result, ProbeClient(), now=0).state == "refused"


def earlier(*conditions: Condition, priority: str = "5", baseline: int = 0, canary: int = 0) -> Traffic:
    """The header rule has the priority 10; another rule of its listener has `priority`."""
    header_rule, split = traffic().rules
    other = replace(rule("other", conditions, baseline, canary), priority=priority)
    return Traffic(0, (replace(header_rule, priority="10"), other, split), (), "split")


TAKEN = [
    Condition("path-pattern", "", ("/api/*",)),
    Condition("path-pattern", "", ("/API/*", "/*/photos")),
    Condition("path-pattern", "", ("~^/api/v[0-9]+/",)),
    Condition("path-pattern", "", ("~[broken",)),
    Condition("host-header", "", ("PHOTO-*.elb.amazonaws.com",)),
    Condition("http-request-method", "", ("GET", "PUT")),
    Condition("http-header", "user-agent", ("*probe*",)),
    Condition("http-header", "Accept-Encoding", ("*GZIP*",)),
    Condition("http-header", "X-Forwarded-Proto", ("http",)),
    Condition("query-string", "page", ("2",)),
    Condition("query-string", "", ("2",)),
    Condition("query-string", "", ("PAGE=*", "x=y")),
    Condition("source-ip", "", ("192.0.2.0/24",)),
    Condition("of-a-later-year", "", ("x",)),
]
NOT_TAKEN = [
    Condition("path-pattern", "", ("/API/*", "/api", "/", "/api/v?/photo")),
    Condition("path-pattern", "", ("~^/admin",)),
    Condition("path-pattern", "", (r"/api/v1/photo\*",)),
    Condition("host-header", "", ("*.example.com",)),
    Condition("http-request-method", "", ("HEAD",)),
    Condition("http-header", "User-Agent", ("*Mozilla*",)),
    Condition("http-header", "X-Beta", ("*",)),
    Condition("query-string", "page", ("1", "22")),
    Condition("query-string", "q", ("2",)),
]


@pytest.mark.parametrize("condition", TAKEN, ids=str)
def test_a_request_that_an_earlier_rule_takes_or_may_is_refused(condition: Condition) -> None:
    result = plan(Probe(path="/api/v1/photos?page=2"), earlier(condition))
    assert (result.refusal, result.earlier_rule) == ("earlier_rule", "HTTP:80 5")
    kept = run_probe(result, ProbeClient(), now=0)
    assert (kept.state, kept.refusal, kept.earlier_rule) == ("refused", "earlier_rule", "HTTP:80 5")


@pytest.mark.parametrize("condition", NOT_TAKEN, ids=str)
def test_an_earlier_rule_of_other_requests_is_none(condition: Condition) -> None:
    assert plan(Probe(path="/api/v1/photos?page=2"), earlier(condition)).refusal == ""
    both = earlier(TAKEN[0], condition)
    assert plan(Probe(path="/api/v1/photos?page=2"), both).refusal == ""  # all conditions must be met


def test_only_rules_before_that_of_a_fleet_on_its_listener_are_earlier() -> None:
    everything = Condition("path-pattern", "", ("/api/*",))
    probe = Probe(path="/api/photos")
    # After the header rule, but before the split, whose answer is the baseline's.
    assert plan(probe, earlier(everything, priority="20")).earlier_rule == "HTTP:80 20"
    rules = earlier(everything, priority="20", baseline=1)
    assert plan(probe, rules).refusal == ""
    header_rule, other, split = earlier(everything).rules
    elsewhere = Traffic(0, (header_rule, replace(other, listener_arn="arn:other"), split), (), "split")
    assert plan(probe, elsewhere).refusal == ""


def test_an_earlier_header_rule_takes_the_request_with_its_header() -> None:
    """Only the request to the canary has the header."""
    conditions = Condition("http-header", "x-canary", ("EC*",)), Condition("path-pattern", "", ("/api/*",))
    both = earlier(*conditions, baseline=50, canary=50)
    assert plan(Probe(path="/api/photos"), both).earlier_rule == "HTTP:80 5"
    assert plan(Probe(path="/photos"), both).refusal == ""


def test_a_rule_that_also_leads_to_another_group_is_of_no_fleet() -> None:
    header_rule, split = traffic().rules
    third = Share("arn:third", "photo-third", None, 1)
    rules = Traffic(0, (replace(header_rule, shares=(*header_rule.shares, third)), split), (), "split")
    assert plan(Probe(path="/"), rules).refusal == "no_header_rule"


def test_a_refusal_names_the_earlier_rule() -> None:
    assert text.refusal("earlier_rule", "HTTPS:443 5") == (
        "Rule HTTPS:443 5 (listener and priority) is evaluated first and takes this request, or may: the answer could be of another fleet. "
        "Narrow that rule's conditions, or give the rule of the probe a lower priority number."
    )


def test_a_header_that_matches_a_regular_expression_or_wildcard_is_sent() -> None:
    for pattern in ("~^ecs-[0-9]+$", "ecs-*"):
        result = plan(Probe(path="/", header="X-Canary: ecs-7"), traffic(header=pattern))
        assert result.request("canary").headers == (("X-Canary", "ecs-7"),)


def test_a_host_of_the_rules_with_the_addresses_of_the_load_balancer() -> None:
    assert plan(Probe(path="/", host="photo.example.com"), traffic()).host == "photo.example.com"
    by_rule = plan(Probe(path="/"), traffic(Condition("host-header", "", ("photo.example.com",))))
    assert (by_rule.host, by_rule.refusal) == ("photo.example.com", "")
    assert plan_probe(Probe(path="/"), traffic(), "", resolve).refusal == "no_dns"
    assert plan_probe(Probe(path="/"), traffic(), "gone.example", resolve).refusal == "no_dns"


@pytest.fixture
def site() -> Iterator[ProbedSite]:
    with ProbedSite() as site:
        yield site


def probe_site(site: ProbedSite, path: str, **options: object) -> ProbeResult:
    rules = traffic(port=urlsplit(site.url).port or 0)
    probe = Probe.model_validate({"path": path, "requests": 4} | options)
    return run_probe(plan(probe, rules), ProbeClient(sleep=lambda _: None), now=1)


@pytest.mark.parametrize("path", ["/html", "/json", "/image", "/away", "/charset", "/no-charset"])
def test_a_site_does_not_differ_from_itself(site: ProbedSite, path: str) -> None:
    result = probe_site(site, path)
    assert (result.state, result.differences) == ("same", ())
    assert "header x-request-id" in result.ignored
    assert [side.header for side in result.sides] == ["", "X-Canary: ecs"]
    assert len(site.requests) == 8


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/html", {"line 13": ("1,204 photos", "1,300 photos")}),
        (
            "/json",
            {
                "json $.items[].tags length": ("2", "3"),
                "json $.items[].tags[]": ("str a, str a", "str a, str a, str a"),
            },
        ),
        ("/image", {"hash": ("sha256 8b4d0ab3b8c7", "sha256 9f4a7ac3f2a1")}),
        ("/away", {"redirect": ("/html", "https://evil.example/")}),
        ("/charset", {"header content-type": ("text/plain; charset=utf-8", "text/plain; charset=shift_jis")}),
    ],
)
def test_differences_are_named(site: ProbedSite, path: str, expected: dict[str, tuple[str, str]]) -> None:
    site.canary_differs = True
    result = probe_site(site, path)
    assert result.state == "different"
    found = {item.feature: (item.baseline, item.canary) for item in result.differences}
    if path == "/image":
        assert found.keys() == expected.keys()
    else:
        assert found == expected


def test_another_status_than_expected(site: ProbedSite) -> None:
    assert probe_site(site, "/away", expect=200).state == "unexpected"
    assert probe_site(site, "/away", expect=302).state == "same"


def test_an_answer_that_cannot_be_read_fails_the_probe(site: ProbedSite) -> None:
    result = probe_site(site, "/bomb", requests=2)
    assert (result.state, result.sides[0].errors) == ("failed", (("too_large", 2),))


def test_results_are_kept_and_the_newest_is_shown(site: ProbedSite, tmp_path: Path) -> None:
    probe = Probe(path="/json", requests=2)
    migration = MIGRATION.model_copy(update={"probe": (probe, Probe(path="/never"))})
    plans = ProbePlans((plan(probe, traffic(port=urlsplit(site.url).port or 0)),), ProbeClient(sleep=lambda _: None))
    progress: list[tuple[int, int]] = []
    with Archive.open(archives.archive_url(tmp_path), migration, clock=lambda: NOW) as archive:
        run_probes(archive, plans, now=datetime(2026, 11, 24, 11, tzinfo=UTC))
        (newest,) = run_probes(archive, plans, now=NOW, on_progress=lambda *args: progress.append(args))
        assert latest_results(archive, migration, now=NOW) == ((probe, newest), (migration.probe[1], None))
    assert progress == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_probes_of_one_path_with_other_headers_or_hosts_have_results_of_their_own(tmp_path: Path) -> None:
    probes = (
        Probe(path="/"),
        Probe(path="/", header="X-Canary: ecs-2"),
        Probe(path="/", host="Photo.example.com"),
        Probe(path="/", method="HEAD"),
    )
    migration = MIGRATION.model_copy(update={"probe": probes})
    at = int(NOW.timestamp())
    with Archive.open(archives.archive_url(tmp_path), migration, clock=lambda: NOW) as archive:
        for probe in probes[1:]:
            archive.observations.save_probe(probe_result(at, probe, host=probe.host.lower() or DNS, key=str(probe)))
        archive.observations.save_probe(probe_result(at + 10, probes[0], host=DNS))
        results = latest_results(archive, migration, now=NOW)
        assert [(result.header, result.host, result.method) for _, result in results if result] == [
            ("", DNS, "GET"),
            ("X-Canary: ecs-2", DNS, "GET"),
            ("", "photo.example.com", "GET"),
            ("", DNS, "HEAD"),
        ]
        assert latest_results(archive, migration, now=NOW - timedelta(hours=1)) == tuple(
            (probe, None) for probe in probes
        )


class Rules:
    """A traffic source. `error`: raised instead of an answer."""

    name = "load_balancer"

    def __init__(self, *problems: Problem, error: Exception | None = None) -> None:
        self.problems, self.error = problems, error

    def snapshot(self) -> TrafficSnapshot:
        if self.error:
            raise self.error
        return TrafficSnapshot(0, None if self.problems else traffic(), self.problems)

    def check(self) -> list[Health]:
        return []


DEMO = MIGRATION.model_copy(update={"demo": True, "probe": (Probe(path="/", requests=2),)})


def finished(archive: Archive, rules: Rules) -> ProbeRunner:
    """After a run."""
    runner = ProbeRunner(archive, DEMO, rules, clock=lambda: NOW)
    assert runner.start()
    runner.wait()
    assert runner.progress is None
    return runner


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(archives.archive_url(tmp_path), DEMO, clock=lambda: NOW) as archive:
        yield archive


def test_a_run_without_problems_has_a_result(archive: Archive) -> None:
    assert finished(archive, Rules()).problems == ()
    ((_probe, result),) = latest_results(archive, DEMO, now=NOW)
    assert result and result.state == "same"


def test_a_result_that_cannot_be_stored_is_a_problem_of_the_run(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_result: ProbeResult) -> None:
        raise ArchiveError("disk_full", "database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(archive.observations, "save_probe", full)
        runner = finished(archive, Rules())
    assert runner.problems == (ArchiveProblem("disk_full", "database or disk is full"),)
    assert runner.start()
    runner.wait()
    assert runner.problems == ()


def test_an_exception_is_a_problem_of_the_run_and_logged(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    runner = finished(archive, Rules(error=KeyError("Rules")))
    assert runner.problems == (Problem("internal_error", "probe", "run", detail="KeyError: 'Rules'"),)
    assert [record.getMessage() for record in caplog.records] == ["probe failed"]


def test_rules_that_cannot_be_read_are_a_problem_of_the_run(archive: Archive) -> None:
    denied = Problem("denied", "load_balancer", "elasticloadbalancing:DescribeRules")
    assert finished(archive, Rules(denied)).problems == (denied,)
    ((_probe, result),) = latest_results(archive, DEMO, now=NOW)
    assert result and result.refusal == "no_traffic"
