"""Compares Athena's SQL, run by Spark and Hive in two processes, with DuckDB, row by row."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest

from benchmarks.access_log_generator import generate_files
from domain import Arn
from sources.access_logs.aggregate import aggregate, line_totals
from sources.access_logs.counter import LogCounter
from sources.access_logs.sql import SPARK, counts_sql
from sources.aws.athena_table import AthenaTable, lines_sql
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line

LOAD_BALANCER = Arn.parse(
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188"
)
PATTERNS = ("/photos/*/comments", "/it's/**", "/写真/*", "/a\\b/*")
UUID = "0a1b2c3d-0000-4000-8000-00000000abcd"
PATHS = (
    "/it's/4711/a%20b",
    "/写真/８８１２",
    "/写真/8812/コメント",
    f"/絵/{UUID}.jpg?token=se'cret",
    "/a\\b/1234",
    "/a\\x22b\\x22/1234",
    "/$1/\\1/12345",
    "//twice//12345//",
    "/a.b.c/1.2.3/jquery-3.6.0.min.js",
    "/../%2e%2e/etc/12345/",
    "/line\u2028separator/12345/\u0085",
    "/raw space/12345?and more=1 2",
    "/<script>alert(12345)</script>",
    "/:id/*/**/12345",
    "/" + "deep/" * 40 + "12345",
    "/" + "x" * 9_000 + "1",
    "?only=a-query",
    "",
)
# The load balancer writes a client's quotes as \x22, so the quotes of a line are balanced. Where they are not (tests/sources/aws/test_athena_table.py),
# each reader splits the line differently; it is still one line.
ODD_LINES = (
    *(access_log_line(f"GET https://photo.example.com:443{path} HTTP/2.0") for path in PATHS),
    *(
        access_log_line(request)
        for request in ("- - -", "-", "", "GET", "OPTIONS * HTTP/1.1", "GET http://[2001:db8::1]:80/1234 HTTP/1.1")
    ),
    access_log_line("- http://photo.example.com:80- -", elb="400", target="-", latency="-1", group="-"),
    access_log_line(agent='a \\"quoted\\" agent \\\\'),
    access_log_line(agent=""),
    access_log_line(latency="1.005"),
    access_log_line(latency="59.999", elb="502"),
    access_log_line().partition(' "Mozilla')[0] + ' "Mozilla/5.0 (never closed\n',
    " ".join(access_log_line().split(" ")[:12]) + "\n",
    " ".join(access_log_line().split(" ")[:11]) + "\n",
    access_log_line().replace("h2 ", "h9 ", 1),
    access_log_line().replace("2026-09-21T14", "yesterday T14", 1),
    access_log_line().replace("\n", " more and more 40 41 42\n"),
    access_log_line().replace("\n", "\r\n"),
    "Enable AccessLog for ELB: app/photo/50dc6c495c0c9188 at 2026-09-21T09:55:52.806Z\n",
    "\n",
)


def java_home() -> str | None:
    """JAVA_HOME, or the home of the `java` on the PATH."""
    if home := os.environ.get("JAVA_HOME"):
        return home
    java = shutil.which("java")
    return str(Path(java).resolve().parent.parent) if java else None


def spark_home(directory: Path) -> Path:
    """A SPARK_HOME in `directory`, because executors write their logs there. Links to the installed one."""
    installed, home = Path(pyspark.__file__).parent, directory / "spark"
    home.mkdir()
    for name in ("bin", "jars", "python"):
        if (installed / name).exists():
            (home / name).symlink_to(installed / name)
    return home


def run_in_spark(directory: Path, statements: list[str], query: str) -> Path:
    """The result of a query as a Parquet file. Kills all processes at the end."""
    result, job = directory / "grouped.parquet", json.dumps({"statements": statements, "query": query})
    settings = {
        "JAVA_HOME": java_home() or "",
        "SPARK_HOME": str(spark_home(directory)),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(directory),
    }
    with subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("spark_job.py")), str(result)],
        cwd=directory,
        env=os.environ | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(job)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output[-4000:]
    return result


@pytest.mark.spark
@pytest.mark.xdist_group("spark")
@pytest.mark.timeout(300)
@pytest.mark.skipif(java_home() is None, reason="Java is not installed; .ci/java installs it.")
def test_spark_and_duckdb_count_the_same(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    files = generate_files(logs, 20_000, 4)
    for sample in sorted(SAMPLES_DIR.glob("*.log")):
        files.append(Path(shutil.copy(sample, logs)))
    files.append(logs / "odd.log")
    files[-1].write_text("".join(ODD_LINES), encoding="utf-8", newline="")
    with LogCounter(PATTERNS) as counter:
        expected = counter.count(files)

    assert LOAD_BALANCER
    table = AthenaTable("default", "photo-logs", "alb", LOAD_BALANCER)
    # Spark needs a reachable location, and does not support Athena's partition projection.
    create = table.create_sql().replace(table.location, logs.as_uri())
    add = f"ALTER TABLE `default`.`{table.name}` ADD PARTITION (day = '2026/09/21') LOCATION '{logs.as_uri()}'"
    lines = lines_sql(SPARK, f"`default`.`{table.name}`", "day = '2026/09/21'")
    query = counts_sql(SPARK, lines, PATTERNS, examples=True, details=True)
    grouped = pq.read_table(run_in_spark(tmp_path, [create, add], query))
    with duckdb.connect() as database:
        database.register("grouped", grouped)
        totals = line_totals(database)
        tables = aggregate(database, totals.plausible_window())

    rows = grouped.to_pylist()
    assert sum(row["n"] for row in rows) == 4 * sum(stats.lines for stats in expected.files)
    assert sum(row["n"] for row in rows if row["kind"] == "count") == sum(stats.lines for stats in expected.files)
    assert totals.lines - totals.parsed == sum(stats.unparsed for stats in expected.files)
    assert tables.counts.num_rows > 5_000
    for table_of_spark, table_of_duckdb in zip(tables, expected.tables, strict=True):
        assert sorted_rows(table_of_spark) == sorted_rows(table_of_duckdb)
    assert "secret" not in str(rows)


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=str)
