"""Widths of labels: East Asian characters count double."""

from charts.base.text_width import text_width_px, truncate


def test_east_asian_characters_are_wide() -> None:
    assert text_width_px("画像配信", 10) == 40
    assert text_width_px("iiii", 10) < text_width_px("aaaa", 10) < text_width_px("WWWW", 10) < 40


def test_what_does_not_fit_has_an_ellipsis() -> None:
    assert truncate("EC2", 60, 11) == "EC2"
    for name in ("photo-service-production-blue", "画像配信サービス本番環境", "خدمة الصور في الإنتاج", "W" * 200):
        short = truncate(name, 60, 11)
        assert short.endswith("…") and len(short) > 2
        assert text_width_px(short, 11) <= 60


def test_combining_marks_take_no_width() -> None:
    assert text_width_px("e\u0301", 10) == text_width_px("e", 10)
