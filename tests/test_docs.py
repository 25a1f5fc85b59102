"""Everything that exists is documented: keys, metrics, problems, states, make targets; links lead somewhere."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from domain import Aws, Criterion, Fleet, Mackerel, Migration, series_of_load_balancer, series_of_target_group
from domain.config.access_logs import AccessLogs, Athena
from domain.config.batches import Batches, Job, RunLog
from domain.config.criteria import CRITERION_METRICS
from domain.config.loader import load
from domain.config.notify import Notify
from domain.config.probe import Probe
from domain.config.releases import Releases
from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn
from messages.errors import archive, config
from sources.base import HealthState, ProblemKind

ROOT = Path(__file__).parent.parent
DOCS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "tests" / "samples").rglob("*.md")),
]
EXAMPLE = (ROOT / "migration.example.toml").read_text(encoding="utf-8")
# Fields of Migration that are tables of their own in the file.
TABLES = {
    "aws": Aws,
    "mackerel": Mackerel,
    "criteria": Criterion,
    "batches": Batches,
    "access_logs": AccessLogs,
    "releases": Releases,
    "notify": Notify,
    "probe": Probe,
    "server": ServerSettings,
    "sign_in": SignIn,
}
HEADINGS: dict[str, tuple[str, type[BaseModel], set[str]]] = {
    "migration": ("## `[migration]`", Migration, {"fleets", "demo", "release", *TABLES}),
    "aws": ("## `[aws]`", Aws, set()),
    "fleets": ("## `[fleets.baseline]` and `[fleets.canary]`", Fleet, set()),
    "mackerel": ("## `[mackerel]`", Mackerel, set()),
    "criteria": ("## `[[criteria]]`", Criterion, set()),
    "batches": ("## `[batches]`", Batches, {"jobs", "log"}),
    "log": ("## `[batches.log]`", RunLog, set()),
    "access_logs": ("## `[access_logs]`", AccessLogs, {"athena"}),
    "athena": ("## `[access_logs.athena]`", Athena, set()),
    "jobs": ("## `[[batches.jobs]]`", Job, set()),
    "releases": ("## `[releases]`", Releases, set()),
    "notify": ("## `[notify]`", Notify, set()),
    "probe": ("## `[[probe]]`", Probe, set()),
    "server": ("## `[server]`", ServerSettings, set()),
    "sign_in": ("## `[sign_in]`", SignIn, set()),
}


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one."""
    match = re.search(rf"(?ms)^{re.escape(heading)}$\n(.*?)(?=^#|\Z)", DOCS[page])
    assert match, f"docs/{page}.md has no heading {heading}"
    return match[1]


def keys(table: str) -> set[str]:
    _, model, excluded = HEADINGS[table]
    return set(model.model_fields) - excluded


@pytest.mark.parametrize("table", HEADINGS)
def test_exactly_the_existing_keys_are_documented(table: str) -> None:
    rows = section("configuration", HEADINGS[table][0]).partition("| metric |")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", rows)) == keys(table)


@pytest.mark.parametrize("table", HEADINGS)
def test_documented_defaults_are_the_real_ones(table: str) -> None:
    heading, model, _ = HEADINGS[table]
    for key in keys(table):
        row = re.search(rf"(?m)^\| `{key}` \|[^|]*\|([^|]*)\|", section("configuration", heading))
        assert row
        field = model.model_fields[key]
        assert ("*required*" in row[1]) == field.is_required(), key
        if not field.is_required() and field.default not in ("", (), None):
            documented = row[1].strip().strip("`")
            assert tomllib.loads(f"default = {documented}")["default"] == _as_toml(field.default), key


def _as_toml(default: object) -> object:
    return list(default) if isinstance(default, tuple) else default


@pytest.mark.parametrize("table", HEADINGS)
def test_the_example_has_every_key(table: str) -> None:
    assert {key for key in keys(table) if not re.search(rf"\b{key} = ", EXAMPLE)} == set()


def load_text(folder: Path, text: str) -> Migration:
    path = folder / "migration.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_example_is_valid_and_has_only_what_is_required(tmp_path: Path) -> None:
    migration = load_text(tmp_path, EXAMPLE)
    given = {key for key in migration.model_fields_set if getattr(migration, key) is not None}
    assert given == {"name", "aws", "fleets"}
    assert migration.aws and migration.aws.model_fields_set == {"region", "load_balancer"}
    assert migration.fleets.canary.model_fields_set == {"label", "target_groups"}
    assert migration.fleets.canary.names == ("photo-ecs-blue", "photo-ecs-green")


COMMENTED = r"(?m)^# (?=\[|\w+ = )"
BLOCKS = EXAMPLE.split("\n\n")
OPTIONAL_LINES = [line for line in EXAMPLE.partition("# [")[0].splitlines() if re.match(COMMENTED, line)]
NEED_OTHERS = "[[batches.jobs]]", "[releases]"  # of which [releases] needs the canary's ecs_service
OPTIONAL_TABLES = [
    block for block in BLOCKS if re.search(r"(?m)^# \[", block) and not any(table in block for table in NEED_OTHERS)
]


def test_the_example_is_valid_with_everything_that_is_commented_out(tmp_path: Path) -> None:
    migration = load_text(tmp_path, re.sub(COMMENTED, "", EXAMPLE))
    assert migration.aws and migration.aws.rule and migration.aws.profile == "photo-readonly"
    assert [criterion.metric for criterion in migration.criteria] == [
        "error_rate",
        "latency_p95",
        "slow_0.3s",
        "uploads per minute",
        "CPU %",
    ]
    assert migration.batches and [job.name for job in migration.batches.jobs] == ["thumbnails", "digest"]
    assert migration.mackerel and migration.access_logs and migration.access_logs.athena
    assert migration.releases and migration.releases.commit_url


@pytest.mark.parametrize("part", [*OPTIONAL_LINES, *OPTIONAL_TABLES], ids=lambda part: part.splitlines()[0][:40])
def test_the_example_is_valid_with_any_optional_key_or_table(part: str, tmp_path: Path) -> None:
    text = EXAMPLE.replace(part, re.sub(COMMENTED, "", part), 1)
    assert text != EXAMPLE
    load_text(tmp_path, text)


def test_every_criterion_metric_is_documented() -> None:
    for metric in CRITERION_METRICS:
        assert f"`{metric}`" in section("configuration", "## `[[criteria]]`"), metric


@pytest.mark.parametrize("page", ["cloudwatch", "mackerel"])
def test_every_metric_and_statistic_is_documented(page: str) -> None:
    all_series = [
        *series_of_target_group("cloudwatch", "canary", "photo-ecs", (0.3,)),
        *series_of_load_balancer("cloudwatch"),
    ]
    for series in all_series:
        assert re.search(rf"\b{series.metric}\b", DOCS[page]), f"{series.metric} is not in docs/{page}.md"
    if page == "cloudwatch":
        for metric, stat in {(series.metric, series.stat) for series in all_series}:
            assert re.search(rf"(?m)^\|.*\| `{metric}` \| `{stat}` \|", DOCS[page]), f"{metric} {stat}"


@pytest.mark.parametrize("kind", [*get_args(ProblemKind), *(f"archive_{kind}" for kind in archive.ARCHIVE_TEXTS)])
def test_every_problem_has_a_heading(kind: str) -> None:
    assert section("problems", f"## {kind}").strip()


def test_every_state_is_documented() -> None:
    assert set(re.findall(r"(?m)^\| (\w+) \|", section("problems", "# Problems"))) == {"state", *get_args(HealthState)}


def test_pages_named_in_messages_exist() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "messages").rglob("*.py"))
    assert {name for name in re.findall(r"docs/(\w+)\.md", texts) if name not in DOCS} == set()
    for source in ("cloudwatch", "load_balancer", "mackerel", "codedeploy", "ecs"):
        assert source in DOCS
    assert (ROOT / config.ANCHOR).exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    for link, anchor in re.findall(r"\]\((?!https?:)([\w./-]+)?(#[\w-]+)?\)", path.read_text(encoding="utf-8")):
        target = path.parent / link if link else path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor[1:] in anchors, f"{link}{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_modules_named_in_pages_exist(path: Path) -> None:
    names = re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|js|j2))`", path.read_text(encoding="utf-8"))
    assert [name for name in names if "NNNN" not in name and not (ROOT / name).exists()] == []


def test_every_make_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"(?m)^\.PHONY: (.+)$", makefile)
    assert phony
    explained = re.findall(r"(?m)^([\w-]+):.* ## .+$", makefile)
    assert sorted(explained) == sorted(phony[1].split())
