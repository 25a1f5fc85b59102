"""Messages for the traffic split."""

from analysis import SampleRatio
from analysis.series.sample_ratio import SampleRatioVerdict
from domain import Condition, Group, Rule, Share, Target
from domain.traffic import BlueGreen
from messages import traffic
from tests.factories.config import make_migration


def ratio_of(verdict: SampleRatioVerdict, expected: float, observed: float, requests: int = 8412) -> SampleRatio:
    """With a CI of ±1 percentage point."""
    return SampleRatio(verdict, expected, observed, observed - 0.01, observed + 0.01, requests, 60)


STICKY = "Stickiness delays weight changes: existing sessions stay on their fleet."


def test_a_share_that_matches_the_weights() -> None:
    text = traffic.sample_ratio(ratio_of("matches", 0.5, 0.498, 1_234_567), label="ECS", sticky=False)
    assert text == "Observed split matches weights: ECS 49.8% of 1.2M requests (configured 50.0%)."


def test_a_share_that_differs() -> None:
    mismatch = "Split mismatch: ECS got 4.2% of 8,412 requests, configured 10.0% (statistically significant). "
    ratio = ratio_of("differs", 0.1, 0.042)
    assert traffic.sample_ratio(ratio, label="ECS", sticky=True) == mismatch + STICKY
    assert traffic.sample_ratio(ratio, label="ECS", sticky=False) == mismatch + (
        "Stickiness is off: check for a target group without healthy targets, or an unread rule."
    )


def test_a_share_that_sticky_sessions_explain() -> None:
    ratio = ratio_of("matches", 0.1, 0.08)
    assert traffic.sample_ratio(ratio, label="ECS", sticky=True) == (
        f"Observed split is within the range of sticky sessions: ECS 8.0% of 8,412 requests (configured 10.0%). {STICKY}"
    )
    assert "Observed split matches weights" in traffic.sample_ratio(
        ratio_of("matches", 0.1, 0.099), label="ECS", sticky=True
    )


PATH = Condition("path-pattern", "", ("/api/*",))
HALF = (Share("a", "photo-ec2", "baseline", 1), Share("b", "photo-ecs", "canary", 1))


def make_rule(priority: str, *conditions: Condition, shares: tuple[Share, ...] = HALF) -> Rule:
    return Rule(priority, "listener", "HTTPS:443", priority, "forward", conditions, shares, None)


def test_other_rules_are_named_before_stickiness() -> None:
    def causes(*rules: Rule, sticky: bool) -> str:
        text = traffic.sample_ratio(ratio_of("differs", 0.1, 0.4), label="ECS", sticky=sticky, other_rules=rules)
        return text.partition("(statistically significant). ")[2]

    one = "Another rule routes requests in other shares, and they are counted: HTTPS:443 20 (path-pattern: /api/*)."
    assert causes(make_rule("20", PATH), sticky=False) == one
    assert causes(make_rule("20", PATH), sticky=True) == f"{one} {STICKY}"
    assert causes(make_rule("20", PATH), make_rule("default"), sticky=False) == (
        "Other rules route requests in other shares, and they are counted: HTTPS:443 20 (path-pattern: /api/*), HTTPS:443 default."
    )


def test_other_splits() -> None:
    migration, default = make_migration(), make_rule("default")
    assert traffic.other_splits([make_rule("20", PATH)], default, migration) == (
        "Another rule splits traffic between the fleets: HTTPS:443 20 (path-pattern: /api/*): ECS 50.0%. Weights shown: HTTPS:443 default."
    )
    assert traffic.other_splits([make_rule("20", PATH), make_rule("30")], default, migration) == (
        "Other rules split traffic between the fleets: HTTPS:443 20 (path-pattern: /api/*): ECS 50.0%, HTTPS:443 30: ECS 50.0%. Weights shown: HTTPS:443 "
        "default."
    )


def test_a_share_that_is_not_observed_yet() -> None:
    for observed in (None, 0.1):
        ratio = SampleRatio("not enough data", 0.5, observed, None, None, 100, 5)
        assert traffic.sample_ratio(ratio, label="ECS", sticky=True) == (
            "Too few minutes to compare observed and configured split."
        )


def target(state: str, reason: str = "") -> Target:
    return Target("i-0", 80, "ap-northeast-1a", state, reason, "")


def test_health() -> None:
    def health(*targets: Target) -> str:
        return traffic.target_health(Group("arn", "photo-ecs", "canary", targets))

    assert health(target("healthy"), target("healthy")) == "photo-ecs: 2/2 healthy"
    timeout = target("unhealthy", "Target.Timeout")
    assert health(target("healthy"), timeout, timeout, target("draining")) == (
        "photo-ecs: 1/4 healthy (1 draining, 2 unhealthy: Target.Timeout)"
    )
    assert health() == "photo-ecs: no targets"
    assert traffic.target_health(Group("arn", "photo-ecs", "canary", None)) == "photo-ecs: health unknown"


def test_stickiness() -> None:
    assert traffic.stickiness(None) == "Stickiness off"
    assert traffic.stickiness(3600) == "Stickiness 1h"


def test_a_header_rule() -> None:
    conditions = (Condition("http-header", "X-Canary", ("ecs",)), Condition("path-pattern", "", ("/api/*", "/v2/*")))
    shares = (Share("arn", "photo-ecs-blue", "canary", 1),)
    rule = Rule("arn", "arn", "HTTPS:443", "10", "forward", conditions, shares, None)
    assert traffic.header_rule(rule, make_migration()) == "X-Canary: ecs, path-pattern: /api/* or /v2/* → ECS always"


def test_a_header_rule_that_sends_a_part_elsewhere() -> None:
    shares = (HALF[1], Share("c", "photo-old", None, 3))
    rule = make_rule("10", Condition("http-header", "X-Canary", ("ecs",)), shares=shares)
    assert traffic.header_rule(rule, make_migration()) == "X-Canary: ecs → ECS 25.0%, photo-old 75.0%"


def test_unreachable_rules() -> None:
    path = Condition("path-pattern", "", ("/*",))
    first, second = (
        Rule("", "", "HTTP:80", at, "forward", (path,) * (at != "default"), (), None) for at in ("2", "default")
    )
    assert traffic.unreachable_rules([first]) == (
        "HTTP:80 2 (path-pattern: /*) is never reached: an earlier rule matches all requests, so these weights have no effect"
    )
    assert traffic.unreachable_rules([first, second]) == (
        "HTTP:80 2 (path-pattern: /*), HTTP:80 default are never reached: earlier rules match all requests, so these weights have no effect"
    )


def test_blue_green() -> None:
    groups = (Share("a", "photo-ec2", "baseline", 50), Share("b", "photo-ecs-blue", "canary", 50))
    assert traffic.blue_green(BlueGreen(True, groups)) == (
        "Blue/green is blocked while traffic is split (photo-ec2 and photo-ecs-blue weighted): it needs one target group with all weight. Before "
        "deploying, move all weight to one fleet. A successful deployment leaves the other of the service's two target groups in service: give it the old "
        "group's weight; restore the old weights only after a rollback. `cli.py deployments` prints the commands."
    )
    assert traffic.blue_green(BlueGreen(False, groups[:1])) == (
        "Blue/green deployment possible: one target group has all weight."
    )
