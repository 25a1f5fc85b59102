"""Messages for the latency of a whole window."""

from messages import parity


def test_span() -> None:
    assert (
        parity.window_latency_span("CloudWatch", "22 Nov 16:40–22:00 JST", 19_200)
        == "CloudWatch, for 22 Nov 16:40–22:00 JST (5 h 20 min)."
    )


def test_several_target_groups() -> None:
    assert parity.window_latency_groups("ECS", 2) == (
        "2 target groups of ECS served in this window. Percentiles of several groups cannot be merged, so each stands for itself."
    )


def test_a_source_without_window_latency() -> None:
    assert parity.window_latency_unsupported("Mackerel") == (
        "Mackerel keeps one value a minute and cannot tell percentiles of a whole window. Choose CloudWatch as the source, or add [aws] to "
        "the configuration."
    )


def test_text_alternative_of_the_cdf() -> None:
    assert parity.distribution_alternative((("EC2", 0.08, 0.25), ("ECS", 0.09, None))) == (
        "Share of the answers that took at most so long. EC2: half within 80 ms, 95 % within 250 ms; ECS: half within 90 ms, 95 % within –."
    )
