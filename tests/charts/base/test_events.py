"""Events on a chart: lines, strips, labels that never overlap, and hover text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charts.base.events import EVENT_SYMBOLS, event_annotations, event_lines, event_strips
from charts.base.frame import ChartFrame
from charts.base.text_width import text_width_px
from domain import EVENT_KINDS, Event, EventKind, WeightChange, Window
from domain.events import rule_event, weight_event

START = 1_790_000_000 // 3600 * 3600  # 2026-09-21 14:00 UTC, 23:00 in Tokyo
HOURS = ChartFrame(
    {"baseline": "EC2", "canary": "ECS"}, Window(START, START + 3 * 3600), 9 * 3600, "JST", START + 3 * 3600
)


def event(
    minute: float, kind: EventKind, title: str = "", *, until: float | None = None, open: bool = False, detail: str = ""
) -> Event:
    end = None if until is None else START + int(until * 60)
    return Event(START + int(minute * 60), end, kind, title, detail, "", "", "test", f"{minute}{title}", open)


def step(minute: float, before: float, after: float, who: str = "", since: float | None = None) -> Event:
    ts = START + int(minute * 60)
    first = ts if since is None else START + int(since * 60)
    change = WeightChange(
        ts,
        first,
        before,
        after,
        "arn:rule",
        "ModifyRule" if since is None else "",
        who,
        "cli" if who else "unknown",
        ("cloudtrail",),
        f"{ts}",
    )
    return weight_event(change)


def label_texts(events: list[Event], frame: ChartFrame = HOURS) -> list[str]:
    return [word["text"] for word in event_annotations(frame, events)]


def hover_texts(*events: Event, frame: ChartFrame = HOURS) -> list[str]:
    words = sorted(event_annotations(frame, events), key=lambda word: word["x"])
    return [word["hovertext"] for word in words]


def test_a_weight_change_is_a_line_labelled_with_the_new_share() -> None:
    lines = event_lines(HOURS, [step(60, 0.1, 0.25)])
    assert [(line["type"], line["name"], line["x0"], line["line"]["dash"]) for line in lines] == [
        ("line", "weight", "2026-09-22 00:00:00", "solid")
    ]
    assert label_texts([step(60, 0.1, 0.25)]) == ["◆ 25%"]


def test_the_hover_text_of_a_weight_change_has_shares_time_author_and_tool() -> None:
    assert hover_texts(step(60.5, 0.1, 0.25, "kenji.mori")) == [
        "◆ weights: 10% → 25%<br>kenji.mori, AWS CLI<br>00:00:30"
    ]
    assert hover_texts(step(60.25, 0.1, 0.25, since=60)) == [
        "◆ weights: 10% → 25%<br>author unknown<br>between 00:00:00 and 00:00:15"
    ]


def test_each_kind_has_its_symbol_and_name() -> None:
    events = [event(20 * place, kind, f"title {place}") for place, kind in enumerate(EVENT_KINDS)]
    assert label_texts(events) == [f"{EVENT_SYMBOLS[event.kind]} {event.title}" for event in events]
    assert [text.split(":")[0] for text in hover_texts(*events)] == [
        "◆ weights", "✕ alarm", "● alert", "✎ annotation", "▲ deployment", "↩︎ rollback", "✎ note"
    ]  # fmt: skip


def test_lasting_events_have_a_strip_clipped_to_the_window() -> None:
    events = [
        event(-30, "deployment", "web 2", until=10),
        event(170, "alert", "5xx", open=True),
        event(-60, "alert", "over", until=-30),
    ]
    strips = event_strips(HOURS, events)
    assert [(strip["name"], strip["x0"], strip["x1"], strip["y1"]) for strip in strips] == [
        ("deployment", "2026-09-21 23:00:00", "2026-09-21 23:10:00", 1.0),
        ("alert", "2026-09-22 01:50:00", "2026-09-22 02:00:00", 0.985),
    ]
    assert label_texts(events) == ["▲ web 2", "● 5xx"], "what began before stands at the left edge"
    assert hover_texts(event(5, "deployment", "web 2", until=10, detail="40 connections\na task")) == [
        "▲ deployment: web 2<br>23:05:00 to 23:10:00<br>40 connections<br>a task"
    ]
    assert hover_texts(events[1]) == ["● alert: 5xx<br>since 01:50:00, ongoing"]


def test_simultaneous_events_share_a_line_with_their_number() -> None:
    crowd = [event(60 + place / 10, "alert", f"alert {place}") for place in range(12)]
    assert len(event_lines(HOURS, crowd)) == 1
    (word,) = event_annotations(HOURS, crowd)
    assert word["text"] == "● 12 events"
    assert word["hovertext"].startswith("● alert: alert 0<br>00:00:00<br>● alert: alert 1<br>")
    assert word["hovertext"].endswith("<br>… and 4 more")


def test_a_weight_change_among_many_events_is_labelled() -> None:
    crowd = [event(60, "deployment", "web 2"), step(60.5, 0.25, 0.0), step(61, 0.0, 0.25), event(61.5, "alert", "5xx")]
    assert label_texts(crowd) == ["◆●▲ 25% · 4 events"]


def test_a_changed_header_rule_is_described() -> None:
    change = WeightChange(
        START,
        START,
        None,
        1.0,
        "arn:header-rule",
        "CreateRule",
        "root",
        about="X-Canary: ecs → photo-ecs 1",
        sources=("cloudtrail",),
    )
    assert label_texts([rule_event(change)]) == ["✎ Rule created"]
    assert hover_texts(rule_event(change)) == [
        "✎ annotation: Rule created: X-Canary: ecs → photo-ecs 1<br>root<br>23:00:00"
    ]


def test_external_text_is_escaped_and_truncated() -> None:
    evil = event(60, "alert", "<b>bold</b>%{y}" + "x" * 200, detail="<a href='javascript:alert(1)'>x</a>%{customdata}")
    for text in (*label_texts([evil]), *hover_texts(evil), event_annotations(HOURS, [evil])[0]["hovertext"]):
        assert "<b>" not in text and "<a" not in text and "%{" not in text
        assert all(len(line) < 130 for line in text.split("<br>"))


KINDS = st.sampled_from(EVENT_KINDS)


@given(st.lists(st.tuples(st.floats(-60, 240), KINDS, st.text("ab W画像", max_size=40)), max_size=40))
def test_labels_never_overlap(
    given_: list[tuple[float, EventKind, str]],
) -> None:
    events = [event(minute, kind, title) for minute, kind, title in given_]
    words = event_annotations(HOURS, events)
    boxes = []
    for word in words:
        at = (int(word["x"][11:13]) * 60 + int(word["x"][14:16]) - 23 * 60) % 1440 / 180
        width = text_width_px(word["text"], 11) / 680
        boxes.append(
            (
                word["y"],
                at - width if word["xanchor"] == "right" else at,
                at if word["xanchor"] == "right" else at + width,
            )
        )
    for place, (row, start, end) in enumerate(boxes):
        for other_row, other_start, other_end in boxes[place + 1 :]:
            assert row != other_row or end <= other_start + 0.006 or start >= other_end - 0.006  # to the minute


@pytest.mark.parametrize("minutes", [30, 1440, 60 * 1440])
def test_an_empty_window_has_no_events(minutes: int) -> None:
    frame = replace(HOURS, window=Window(START, START + minutes * 60))
    assert event_lines(frame, []) == event_strips(frame, []) == event_annotations(frame, []) == []


def test_a_weight_change_is_listed_first_within_a_second() -> None:
    (both,) = hover_texts(event(60, "rollback", "Back to 5%"), step(60, 0.1, 0.05, "kenji.mori"))
    assert both.startswith("◆ weights: 10% → 5%<br>kenji.mori, AWS CLI<br>00:00:00<br>↩")
    assert label_texts([event(60, "rollback", "Back"), step(60, 0.1, 0.05)]) == ["◆↩\ufe0e 5% · 2 events"]
