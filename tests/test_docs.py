"""The documentation cannot lie by leaving something out: what exists has its line there."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from domain import Aws, Criterion, Fleet, Mackerel, Migration, series_of_load_balancer, series_of_target_group
from domain.config.access_logs import AccessLogs, Athena
from domain.config.batches import Batches, Job
from domain.config.loader import load
from domain.config.models import CRITERION_METRICS
from messages.errors import archive, config, source_texts
from sources.base import HealthState, ProblemKind

ROOT = Path(__file__).parent.parent
DOCS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
EXAMPLE = (ROOT / "migration.example.toml").read_text(encoding="utf-8")
# The fields of Migration that are tables of their own in the file, or never stand in it.
TABLES = {"aws": Aws, "mackerel": Mackerel, "criteria": Criterion, "batches": Batches, "access_logs": AccessLogs}
HEADINGS: dict[str, tuple[str, type[BaseModel], set[str]]] = {
    "migration": ("## `[migration]`", Migration, {"fleets", "demo", *TABLES}),
    "aws": ("## `[aws]`", Aws, set()),
    "fleets": ("## `[fleets.baseline]` and `[fleets.canary]`", Fleet, set()),
    "mackerel": ("## `[mackerel]`", Mackerel, set()),
    "criteria": ("## `[[criteria]]`", Criterion, set()),
    "batches": ("## `[batches]`", Batches, {"jobs"}),
    "access_logs": ("## `[access_logs]`", AccessLogs, {"athena"}),
    "athena": ("## `[access_logs.athena]`", Athena, set()),
    "jobs": ("## `[[batches.jobs]]`", Job, set()),
}


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"(?ms)^{re.escape(heading)}$\n(.*?)(?=^#|\Z)", DOCS[page])
    assert found, f"docs/{page}.md has no heading {heading}"
    return found[1]


def keys(table: str) -> set[str]:
    _, model, elsewhere = HEADINGS[table]
    return set(model.model_fields) - elsewhere


@pytest.mark.parametrize("table", HEADINGS)
def test_every_key_is_documented_and_no_other(table: str) -> None:
    rows = section("configuration", HEADINGS[table][0]).partition("| metric |")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", rows)) == keys(table)


@pytest.mark.parametrize("table", HEADINGS)
def test_what_is_said_of_a_key_left_out_is_true(table: str) -> None:
    heading, model, _ = HEADINGS[table]
    for key in keys(table):
        row = re.search(rf"(?m)^\| `{key}` \|[^|]*\|([^|]*)\|", section("configuration", heading))
        assert row
        field = model.model_fields[key]
        assert ("*required*" in row[1]) == field.is_required(), key
        if not field.is_required() and field.default not in ("", ()):
            written = row[1].strip().strip("`")
            assert tomllib.loads(f"it = {written}")["it"] == _plain(field.default), key


def _plain(default: object) -> object:
    return list(default) if isinstance(default, tuple) else default


@pytest.mark.parametrize("table", HEADINGS)
def test_the_example_has_every_key(table: str) -> None:
    assert {key for key in keys(table) if not re.search(rf"(?m)^(# )?{key} = ", EXAMPLE)} == set()


def test_the_example_is_right() -> None:
    found = load(ROOT / "migration.example.toml")
    assert found.fleets.canary.names == ("photo-ecs-blue", "photo-ecs-green")
    assert [criterion.metric for criterion in found.criteria] == ["error_rate", "latency_p95", "slow_0.3s"]


def test_the_example_is_right_with_what_is_commented_out(tmp_path: Path) -> None:
    whole = tmp_path / "migration.toml"
    whole.write_text(re.sub(r"(?m)^# (?!path)(?=\w+ = )", "", EXAMPLE), encoding="utf-8")
    found = load(whole)
    assert found.aws and found.aws.rule and found.aws.profile == "photo-readonly"


def test_every_metric_that_a_criterion_may_name_is_documented() -> None:
    for metric in CRITERION_METRICS:
        assert f"`{metric}`" in section("configuration", "## `[[criteria]]`"), metric


@pytest.mark.parametrize("page", ["cloudwatch", "mackerel"])
def test_every_metric_and_statistic_is_documented(page: str) -> None:
    every = [
        *series_of_target_group("cloudwatch", "canary", "photo-ecs", (0.3,)),
        *series_of_load_balancer("cloudwatch"),
    ]
    for series in every:
        assert re.search(rf"\b{series.metric}\b", DOCS[page]), f"{series.metric} is not in docs/{page}.md"
    if page == "cloudwatch":
        for metric, stat in {(series.metric, series.stat) for series in every}:
            assert re.search(rf"(?m)^\|.*\| `{metric}` \| `{stat}` \|", DOCS[page]), f"{metric} {stat}"


@pytest.mark.parametrize("kind", [*get_args(ProblemKind), *(f"archive_{kind}" for kind in archive.ARCHIVE_TEXTS)])
def test_every_problem_has_a_heading_that_its_words_link_to(kind: str) -> None:
    assert section("problems", f"## {kind}").strip()


def test_every_state_is_documented() -> None:
    assert set(re.findall(r"(?m)^\| (\w+) \|", section("problems", "# Problems"))) == {"state", *get_args(HealthState)}


def test_pages_that_the_words_name_are_there() -> None:
    texts = " ".join(text for by in source_texts.PROBLEM_TEXTS.values() for told in by.values() for text in told)
    texts += (ROOT / "words" / "mistakes.py").read_text(encoding="utf-8")
    for name in re.findall(r"docs/(\w+)\.md", texts):
        assert name in DOCS
    for source in ("cloudwatch", "load_balancer", "mackerel", "codedeploy", "ecs"):
        assert source in DOCS
    assert (ROOT / config.ANCHOR).exists()


def test_links_between_pages_lead_somewhere() -> None:
    for page, text in DOCS.items():
        for target, anchor in re.findall(r"\]\((?!https?:)([\w./-]+\.md)?(#[\w-]+)?\)", text):
            assert not target or (ROOT / "docs" / target).exists(), f"{page}: {target}"
            if anchor:
                headings = re.findall(r"(?m)^#+ (.+)$", DOCS[Path(target).stem if target else page])
                anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor[1:] in anchors, f"{page}: {anchor}"


def test_every_make_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"(?m)^\.PHONY: (.+)$", makefile)
    assert phony
    explained = re.findall(r"(?m)^(\w+):.* ## .+$", makefile)
    assert sorted(explained) == sorted(phony[1].split())
