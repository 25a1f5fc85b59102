"""Latency summaries of a window."""

from domain.latency import LatencySummary


def test_cdf_points_end_at_the_last_informative_threshold() -> None:
    summary = LatencySummary(
        "canary", "photo-ecs", 9, 8, 0.1, {"p50": 0.08, "p99": 0.9}, {0.01: 0, 0.02: 0, 0.1: 0.6, 1.0: 1, 2.0: 1}
    )
    assert summary.points() == ((0.02, 0), (0.08, 0.5), (0.1, 0.6), (0.9, 0.99), (1.0, 1))
