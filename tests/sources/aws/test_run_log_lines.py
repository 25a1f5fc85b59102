"""Log lines of runs: Lambda's two formats, several statements, and lines that are not what they should be."""

import json

import pytest

from domain.config.batches import RunLog
from domain.run_steps import MAX_SQL_CHARS, RunStep
from sources.aws.run_log_lines import MAX_LINE_CHARS, parse_line

PATHS = RunLog(sql="$.sql", rows="$.rows", seconds="$.seconds", success="$.success", event_id="$.event.id")
REQUEST = "8f3c1a52-0d5b-4f0e-9d6a-2a9f6c1b7e10"
PAYLOAD = {"sql": "DELETE  FROM t;", "rows": 12, "seconds": "1.5", "success": True, "event": {"id": "e-1"}}


def parse(message: str, paths: RunLog = PATHS) -> tuple[RunStep, ...]:
    return parse_line(message, paths, key="k", ts=100, job="cleanup", scheduler="canary")


STEP = RunStep("k", "cleanup", "canary", 100, "", "e-1", "DELETE FROM t;", 12.0, 1.5, True)


def test_a_line_of_json() -> None:
    assert parse(json.dumps(PAYLOAD)) == (STEP,)


@pytest.mark.parametrize(
    "message",
    [
        f"2026-11-27T03:00:01.000Z\t{REQUEST}\tINFO\t{json.dumps(PAYLOAD)}\n",
        f"[INFO]\t2026-11-27T03:00:01.000Z\t{REQUEST}\t{json.dumps(PAYLOAD)}",
        json.dumps({"timestamp": "2026-11-27T03:00:01Z", "level": "INFO", "message": PAYLOAD, "requestId": REQUEST}),
        json.dumps({"level": "INFO", "message": json.dumps(PAYLOAD), "requestId": REQUEST}),
    ],
)
def test_lambdas_formats_have_the_request_id(message: str) -> None:
    (step,) = parse(message)
    assert (step.request_id, step.sql, step.rows) == (REQUEST, "DELETE FROM t;", 12.0)


def test_each_statement_of_a_line_is_a_step() -> None:
    paths = RunLog(sql="$.statements[*].sql", rows="$.statements[*].rows", success="$.success")
    line = {"statements": [{"sql": "A", "rows": 1}, {"sql": "B", "rows": 2}], "success": "ok"}
    first, second = parse(json.dumps(line), paths)
    assert [(step.key, step.sql, step.rows, step.success) for step in (first, second)] == [
        ("k", "A", 1.0, True),
        ("k:1", "B", 2.0, True),
    ]
    (only,) = parse(json.dumps({"statements": [{"rows": 1}, {"rows": 2}]}), RunLog(rows="statements[1].rows"))
    assert only.rows == 2.0


def test_lines_of_another_job_are_not_steps() -> None:
    paths = PATHS.model_copy(update={"job": "$.job"})
    assert parse(json.dumps(PAYLOAD | {"job": "digest"}), paths) == ()
    assert len(parse(json.dumps(PAYLOAD | {"job": "cleanup"}), paths)) == 1


@pytest.mark.parametrize(
    "message",
    [
        "",
        "START RequestId: x",
        "{",
        "[" * 100_000 + "{",
        '{"a":' * 20_000,
        '{"unrelated": 1}',
        '{"rows": true, "seconds": NaN, "success": "maybe"}',
        '{"rows": 1e400, "seconds": "x"}',
        '{"rows": {"a": 1}, "sql": 3}',
        '{"message": "{broken", "rows": null}',
        "x" * 1_048_576,
        json.dumps({"sql": "x" * MAX_LINE_CHARS}),
        "\ud800{",
    ],
)
def test_other_lines_have_no_steps(message: str) -> None:
    assert parse(message) == ()


def test_a_statement_is_one_line_of_limited_length() -> None:
    (step,) = parse(json.dumps({"sql": "SELECT\n '<b>'" + "x" * 50_000}))
    assert step.sql.startswith("SELECT '<b>'x")
    assert len(step.sql) == MAX_SQL_CHARS
