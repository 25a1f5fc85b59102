"""What the weights let expect of the observed share: since the last change, and by the stickiness of the split."""

from analysis import ExpectedShare
from domain import Rule, Share, Traffic
from domain.weight_changes import WeightChange
from services.live import binding_s, expected_share

HALF = (Share("a", "photo-ec2", "baseline", 1), Share("b", "photo-ecs", "canary", 1))
CHANGES = (WeightChange(7_200, 7_200, None, 0.1), WeightChange(10_830, 10_800, 0.1, 0.5))


def traffic(stickiness_s: int | None) -> Traffic:
    return Traffic(0, (Rule("r", "l", "HTTPS:443", "default", "forward", (), HALF, stickiness_s),), (), "r")


def test_the_minute_of_the_last_change_and_the_next_do_not_count() -> None:
    assert expected_share(traffic(None), CHANGES) == ExpectedShare(0.5, since=10_800 + 120)
    assert expected_share(traffic(None), ()) == ExpectedShare(0.5)


def test_sticky_sessions_may_be_bound_by_the_known_earlier_shares() -> None:
    assert expected_share(traffic(3600), CHANGES) == ExpectedShare(0.5, 10_920, sticky=True, earlier=(0.1,))
    assert [binding_s(traffic(seconds)) for seconds in (None, 3600, 86_401)] == [7200, 7200, 86_460]


def test_without_weights_nothing_is_expected() -> None:
    no_split = Traffic(0, (), (), "")
    assert expected_share(None, CHANGES) is None and expected_share(no_split, ()) is None
    assert binding_s(None) == binding_s(no_split) == 7200
