"""The pictures of MATH.md show what its text says of them, and are those that the judge makes today."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.pictures import data, make

ROOT = Path(__file__).parent.parent
NAMES = sorted(f"{draw.__name__.replace('_', '-')}.svg" for draw in make.PICTURES)


def test_each_of_three_phases_has_another_verdict_and_its_real_difference_in_the_interval() -> None:
    results = [(phase.result, phase.truth) for phase in data.three_phases()]
    assert [(result.verdict, result.reason) for result, _ in results] == [
        ("parity", "inside_margin"),
        ("undecided", "inconclusive"),
        ("regression", "beyond_margin"),
    ]
    for result, truth in results:
        assert result.lower is not None and result.upper is not None
        assert result.lower < truth < result.upper


def test_the_interval_narrows_around_the_real_difference_until_parity() -> None:
    phase = data.narrowing_phase()
    after = phase.trace.iloc[[60 * hours - 1 for hours in (1, 3, 6, 12)]]
    widths = (after["upper"] - after["lower"]).to_list()
    assert widths == sorted(widths, reverse=True) and widths[0] > 3 * widths[-1]
    known = phase.trace.dropna()
    assert ((known["lower"] <= phase.truth) & (phase.truth <= known["upper"])).all()
    assert phase.verdicts[60] == "undecided" and phase.verdicts[-1] == "parity"


def test_only_the_ordinary_test_raises_false_alarms() -> None:
    repeated, judged = data.healthy_looks()
    assert repeated.shape == judged.shape == (20, 480)
    assert 5 <= repeated.any(axis=1).sum() <= 15
    assert judged.any(axis=1).sum() == 0


def test_the_burst_is_one_incident_of_the_canary_and_changes_no_interval() -> None:
    phase, incident = data.incident_phase()
    assert incident.own == "canary" and incident.errors and incident.errors["canary"] > 1000
    assert incident.window.end - incident.window.start == 60 * data.INCIDENT_MINUTES
    assert phase.result.excluded is not None and phase.result.excluded["incident"] == data.INCIDENT_MINUTES
    before, after = (phase.trace.iloc[minute] for minute in (data.INCIDENT_AT - 1, data.INCIDENT_AT + 20))
    assert after["upper"] - after["lower"] < before["upper"] - before["lower"]
    assert data.difference_of_all_minutes(phase)[data.INCIDENT_AT + 20] > 10 * after["upper"]


def test_two_undecided_phases_end_differently() -> None:
    good, _, bad = data.three_phases()
    assert good.verdicts[120] == bad.verdicts[120] == "undecided"
    assert (good.verdicts[-1], bad.verdicts[-1]) == ("parity", "regression")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    make.main(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_pictures_have_the_words_of_those_made_today(name: str, drawn: Path) -> None:
    assert words(make.FOLDER / name) == words(drawn / name), "python -m docs.pictures.make draws them again"


def words(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_the_page_begins_with_all_pictures_and_nothing_else_is_in_their_folder() -> None:
    opening = (ROOT / "docs" / "MATH.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert sorted(re.findall(r"\]\(img/math/([\w-]+\.svg)\)", opening)) == NAMES
    assert sorted(path.name for path in make.FOLDER.iterdir()) == NAMES
