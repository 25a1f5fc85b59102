"""Athena as an engine for access logs that outgrow one machine: whole days are counted where they lie, and only the counts come here."""

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from domain import Aws, Clock, Window, utc_now
from domain.config.access_logs import Athena as Settings
from sources.access_logs.aggregate import aggregate, load_csv
from sources.access_logs.base import LogListing, health
from sources.access_logs.counter import FileStats, LogCounts
from sources.access_logs.filenames import (
    MAX_DELIVERY_DELAY_S,
    LogFile,
    account_prefix,
    days_between,
    file_name_prefix,
    window_of_name,
)
from sources.aws import athena_table
from sources.aws.athena_table import AthenaTable
from sources.aws.client import AWS_ERRORS, call_api, create_client, problem_from_error
from sources.aws.s3_access_logs import S3Logs
from sources.base import Health, Problem

SOURCE = "athena"
MEMORY_LIMIT_MB = 256  # to read its counts
DAY_S = 86_400
MIN_CHARGED_BYTES = 10_000_000  # of a query, that are charged in any case
BYTES_PER_TB = 1e12  # AWS does not say which it means: of the two the one that makes the estimate higher
MAX_EXCLUDED_KEYS = 1000  # files of a day that a query can leave out: its text may have 262,144 characters
POLL_INTERVALS_S = (0.5, 1.0, 2.0, 5.0)  # between two looks at a query; the last one from then on
UNFINISHED_STATES = frozenset({"QUEUED", "RUNNING"})


class AthenaLogs:
    """A sources.access_logs.base.CountedByDay over the logs that `place` knows. `clients` has boto3 clients by service; those left out are made when needed."""

    name = SOURCE

    def __init__(
        self,
        aws: Aws,
        settings: Settings,
        logs: S3Logs,
        patterns: Sequence[str] = (),
        *,
        clock: Clock = utc_now,
        clients: dict[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws, self._settings, self._logs, self._patterns = aws, settings, logs, tuple(patterns)
        self._clock, self._sleep = clock, sleep
        self._clients = dict(clients or {})
        self._created_tables: set[str] = set()  # tables that are known to be there

    def files(self, window: Window) -> LogListing:
        """The days of `window` (UTC, as the folders are) that are over, each with its files; a problem names those that are not."""
        place = self._logs.location()
        if isinstance(place, Problem):
            return LogListing(problems=(place,))
        found, young, foreign = list[LogFile](), list[date](), 0
        now = int(self._clock().timestamp())
        try:
            for day in days_between(window.starts_at.date(), (window.ends_at - timedelta(seconds=1)).date()):
                span = day_window(day)
                if span.end + MAX_DELIVERY_DELAY_S > now:
                    young.append(day)
                    continue
                folder, others = self._day_folder(*place, day)
                found += [folder] if folder.parts else []
                foreign += others
        except AWS_ERRORS as error:
            problem = problem_from_error(error, source=self.name, operation="s3:ListBucket", about=place[0])
            return LogListing(tuple(found), (problem,), foreign)
        too_young = Problem("incomplete", self.name, "count", ", ".join(map(str, young)), "not_over")
        return LogListing(tuple(found), (too_young,) if young else (), foreign)

    def _day_folder(self, bucket: str, prefix: str, day: date) -> tuple[LogFile, int]:
        """A day's folder, with the size of all that Athena reads there, and how many files in it are not this load balancer's."""
        size, parts, foreign = 0, list[LogFile](), 0
        for one in self._logs.list_objects(
            bucket, f"{account_prefix(self._aws.load_balancer_arn, prefix)}/{day:%Y/%m/%d}/"
        ):
            size += one["Size"]
            name = one["Key"].rpartition("/")[2]
            if name.startswith(file_name_prefix(self._aws.load_balancer_arn)):
                parts.append(LogFile(one["Key"], one["Size"], window_of_name(name)))
            else:
                foreign += 1
        return LogFile(f"{SOURCE}:{day}", size, day_window(day), tuple(parts)), foreign

    def download(self, file: LogFile) -> Problem:
        """Nothing is brought here."""
        return Problem("bad_request", self.name, "read", file.key)

    def cost_usd(self, days: Sequence[LogFile]) -> float:
        """What it costs at most to count these days: everything in their folders is read once."""
        charged = sum(max(one.size, MIN_CHARGED_BYTES) for one in days)
        return charged / BYTES_PER_TB * self._settings.usd_per_tb

    def check_limits(self, days: Sequence[LogFile]) -> Problem | None:
        cost_usd = self.cost_usd(days)
        if cost_usd > self._settings.max_usd:
            size = sum(one.size for one in days)
            return Problem(
                "too_costly", self.name, "count", str(size), f"{cost_usd:.2f} USD, {self._settings.max_usd:.2f} USD"
            )
        for one in days:
            if len(one.excluded_keys) > MAX_EXCLUDED_KEYS:
                return Problem("incomplete", self.name, "count", _date_of(one).isoformat(), "counted")
        return None

    def count_day(
        self, day: LogFile, *, on_progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> LogCounts | Problem | None:
        place = self._logs.location()
        if isinstance(place, Problem):
            return place
        table = AthenaTable(self._settings.database, *place, self._aws.load_balancer_arn)
        if table.name not in self._created_tables:
            made = self._run_query(table.create_sql(), lambda _read: None, stop)
            if not isinstance(made, str):
                return made
            self._created_tables.add(table.name)
        result = self._run_query(table.count_sql(_date_of(day), self._patterns, day.excluded_keys), on_progress, stop)
        return self._read_result(day, result) if isinstance(result, str) else result

    def _run_query(
        self, sql: str, on_progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> str | Problem | None:
        """Where in S3 the result of a query is; None where `stop` said so. Whatever ends this early, Ctrl-C too, ends the query."""
        asked: dict[str, Any] = {"QueryString": sql, "WorkGroup": self._settings.workgroup}
        if self._settings.output:
            asked["ResultConfiguration"] = {"OutputLocation": self._settings.output}
        started = self._call("StartQueryExecution", **asked)
        if isinstance(started, Problem):
            return started
        query = started["QueryExecutionId"]
        try:
            ended = self._wait_for_query(query, on_progress, stop)
        except BaseException:
            self._call("StopQueryExecution", QueryExecutionId=query)
            raise
        if ended is None or isinstance(ended, Problem):
            self._call("StopQueryExecution", QueryExecutionId=query)
            return ended
        status = ended["Status"]
        if status["State"] == "SUCCEEDED":
            return str(ended.get("ResultConfiguration", {}).get("OutputLocation", ""))
        return query_problem(status)

    def _wait_for_query(
        self, query_id: str, on_progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> dict[str, Any] | Problem | None:
        """A query once it has ended; None where `stop` said so first."""
        pauses = iter(POLL_INTERVALS_S)
        while not stop():
            reply = self._call("GetQueryExecution", QueryExecutionId=query_id)
            if isinstance(reply, Problem):
                return reply
            execution: dict[str, Any] = reply["QueryExecution"]
            on_progress(int(execution.get("Statistics", {}).get("DataScannedInBytes", 0)))
            if execution["Status"]["State"] not in UNFINISHED_STATES:
                return execution
            self._sleep(next(pauses, POLL_INTERVALS_S[-1]))
        return None

    def _read_result(self, day: LogFile, result: str) -> LogCounts | Problem:
        """The counts from a result: Athena's CSV file in S3, as its own API gives no more than a thousand rows at a time."""
        bucket, _, key = result.removeprefix("s3://").partition("/")
        with (
            tempfile.TemporaryDirectory(prefix="athena-") as room,
            duckdb.connect(
                config={"memory_limit": f"{MEMORY_LIMIT_MB}MB", "threads": 2, "temp_directory": f"{room}/spill"}
            ) as database,
        ):
            path = Path(room, "result.csv")
            try:
                reply = call_api(self._client("s3").get_object, Bucket=bucket, Key=key)
                with path.open("wb") as out, contextlib.closing(reply["Body"]) as body:
                    shutil.copyfileobj(body, out, 1 << 20)
                load_csv(database, path)
                lines, parsed = database.execute(
                    "SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (minute <> ?), 0) FROM grouped",
                    [athena_table.UNPARSED_MINUTE],
                ).fetchall()[0]
            except AWS_ERRORS as error:
                return problem_from_error(error, source=self.name, operation="s3:GetObject", about=result)
            except duckdb.Error as error:
                return Problem("bad_reply", self.name, "s3:GetObject", result, str(error))
            tally = FileStats(day.identity, int(lines), int(parsed), "not_a_log" if lines and not parsed else None)
            return LogCounts(*aggregate(database), (tally,))

    def check(self) -> tuple[Health, ...]:
        """May the workgroup and the database be used? Runs no query: that would cost."""
        began = time.monotonic()
        group = self._call("GetWorkGroup", WorkGroup=self._settings.workgroup)
        unfit = group if isinstance(group, Problem) else self._workgroup_problem(group["WorkGroup"])
        lines = [replace(health("athena:GetWorkGroup", began, unfit), source=self.name)]
        began = time.monotonic()
        asked = {"CatalogName": "AwsDataCatalog", "DatabaseName": self._settings.database}
        database = self._call("GetDatabase", **asked)
        problem = database if isinstance(database, Problem) else None
        return (*lines, replace(health("athena:GetDatabase", began, problem), source=self.name))

    def _workgroup_problem(self, group: dict[str, Any]) -> Problem | None:
        """Why a workgroup cannot be used, as far as it says so itself."""
        refused = Problem("bad_request", self.name, "athena:GetWorkGroup", self._settings.workgroup)
        if group.get("State") == "DISABLED":
            return replace(refused, detail="the workgroup is disabled")
        settings = group.get("Configuration", {})
        own = settings.get("ResultConfiguration", {}).get("OutputLocation", "")
        enforced = settings.get("EnforceWorkGroupConfiguration", False)
        if own or (self._settings.output and not enforced):
            return None
        return replace(refused, detail="no output location")

    def _call(self, action: str, **parameters: Any) -> dict[str, Any] | Problem:
        method = re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower()
        try:
            return call_api(getattr(self._client(SOURCE), method), **parameters)
        except AWS_ERRORS as error:
            problem = problem_from_error(
                error, source=self.name, operation=f"{SOURCE}:{action}", about=self._settings.workgroup
            )
            return replace(problem, operation=_denied_action(problem.detail) or problem.operation)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = create_client(service, self._aws)
        return self._clients[service]


def day_window(day: date) -> Window:
    start = int((day - date(1970, 1, 1)).total_seconds())
    return Window(start, start + DAY_S)


def _date_of(folder: LogFile) -> date:
    return date.fromisoformat(folder.key.rpartition(":")[2])


def query_problem(status: dict[str, Any]) -> Problem:
    """Why a query did not succeed: its status as GetQueryExecution gives it."""
    reason = status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage", "")
    if action := _denied_action(reason):
        return Problem("denied", SOURCE, action, "", reason)
    return Problem(
        "query_cancelled" if status.get("State") == "CANCELLED" else "query_failed", SOURCE, "count", "", reason
    )


def _denied_action(reason: str) -> str:
    """The IAM action that is missing, if these words name one: Athena asks Glue and S3 in the name of whoever asks it."""
    if found := re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)", reason):
        return found[1]
    return "s3:GetObject" if re.search(r"Access Denied.*S3|S3.*Access Denied", reason) else ""
