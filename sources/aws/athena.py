"""Athena as a remote counter of access logs that exceed one machine: counts whole days in S3, and downloads only the counts."""

import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from domain import Aws, Clock, Window, utc_now
from domain.config.access_logs import Athena as Settings
from domain.window import DAY_S
from sources.access_logs import filenames
from sources.access_logs.aggregate import aggregate, line_totals, load_csv
from sources.access_logs.base import LogListing, health
from sources.access_logs.counter import FileProblem, FileStats, LogCounts
from sources.access_logs.filenames import LogFile
from sources.aws.athena_table import AthenaTable
from sources.aws.calls import ClientProvider
from sources.aws.client import AWS_ERRORS, call_api, problem_from_error, require_keys
from sources.aws.s3_access_logs import GET_PERMISSION, LIST_PERMISSION, S3Logs
from sources.base import Health, Problem, ProblemKind

SOURCE = "athena"
MEMORY_LIMIT_MB = 256  # to read a result
MIN_CHARGED_BYTES = 10_000_000  # per query
BYTES_PER_TB = 1e12  # AWS does not say which TB it bills; this one makes the estimate higher
MAX_EXCLUDED_KEYS = 1000  # per query, whose text is limited to 262,144 characters
POLL_INTERVALS_S = (0.5, 1.0, 2.0, 5.0)  # the last one repeats
UNFINISHED_STATES = frozenset({"QUEUED", "RUNNING"})


class AthenaLogs:
    """A DailyCounter over the logs of `logs`."""

    name = SOURCE

    def __init__(
        self,
        aws: Aws,
        settings: Settings,
        logs: S3Logs,
        patterns: Sequence[str] = (),
        *,
        clock: Clock = utc_now,
        client: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._load_balancer, self._settings = aws.load_balancer_arn, settings
        self._logs, self._patterns = logs, tuple(patterns)
        self._clock, self._sleep = clock, sleep
        self._client = ClientProvider(SOURCE, aws, client)
        self._created_tables: set[str] = set()

    def files(self, window: Window) -> LogListing:
        """The completed days of `window` (UTC) with their files; the other days are a problem."""
        location = self._logs.location()
        if isinstance(location, Problem):
            return LogListing(problems=(location,))
        folders, incomplete, skipped = list[LogFile](), list[str](), 0
        now = int(self._clock().timestamp())
        try:
            for day in filenames.days_between(window.starts_at.date(), (window.ends_at - timedelta(seconds=1)).date()):
                if day_window(day).end + filenames.MAX_DELIVERY_DELAY_S > now:
                    incomplete.append(str(day))
                    continue
                folder, n_other = self._day_folder(*location, day)
                folders += [folder] if folder.parts else []
                skipped += n_other
        except AWS_ERRORS as error:
            problem = problem_from_error(error, source=SOURCE, operation=LIST_PERMISSION, about=location[0])
            return LogListing(tuple(folders), (problem,), skipped)
        problems = (Problem("incomplete", SOURCE, "count", ", ".join(incomplete), "not_over"),) if incomplete else ()
        return LogListing(tuple(folders), problems, skipped)

    def _day_folder(self, bucket: str, prefix: str, day: date) -> tuple[LogFile, int]:
        """The folder of a day, with the size of everything that Athena reads there, and the number of other load balancers' files."""
        folder = f"{filenames.account_prefix(self._load_balancer, prefix)}/{day:%Y/%m/%d}/"
        items = list(self._logs.list_objects(bucket, folder))
        files = [
            LogFile(item["Key"], item["Size"], filenames.window_of_name(item["Key"].rpartition("/")[2]))
            for item in items
        ]
        own_prefix = filenames.file_name_prefix(self._load_balancer)
        parts = tuple(file for file in files if file.key.rpartition("/")[2].startswith(own_prefix))
        size = sum(file.size for file in files)
        return LogFile(f"{SOURCE}:{day}", size, day_window(day), parts), len(files) - len(parts)

    def download(self, file: LogFile) -> Problem:
        """Not supported."""
        return Problem("bad_request", SOURCE, "read", file.key)

    def cost_usd(self, days: Sequence[LogFile]) -> float:
        """The maximum cost of counting these days: everything in their folders is read once."""
        charged_bytes = sum(max(day.size, MIN_CHARGED_BYTES) for day in days)
        return charged_bytes / BYTES_PER_TB * self._settings.usd_per_tb

    def check_limits(self, days: Sequence[LogFile]) -> Problem | None:
        cost_usd, max_usd = self.cost_usd(days), self._settings.max_usd
        if cost_usd > max_usd:
            size = sum(day.size for day in days)
            return Problem("too_costly", SOURCE, "count", str(size), f"{cost_usd:.2f} USD, {max_usd:.2f} USD")
        for day in days:
            if len(day.excluded_keys) > MAX_EXCLUDED_KEYS:
                return Problem("incomplete", SOURCE, "count", _date_of(day).isoformat(), "counted")
        return None

    def count_day(
        self, day: LogFile, *, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> LogCounts | Problem | None:
        location = self._logs.location()
        if isinstance(location, Problem):
            return location
        table = AthenaTable(self._settings.database, *location, self._load_balancer)
        if table.name not in self._created_tables:
            created = self._run_query(table.create_sql(), lambda _bytes: None, should_stop)
            if not isinstance(created, str):
                return created
            self._created_tables.add(table.name)
        result = self._run_query(
            table.count_sql(_date_of(day), self._patterns, day.excluded_keys), on_progress, should_stop
        )
        return self._read_result(day, result) if isinstance(result, str) else result

    def _run_query(
        self, sql: str, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> str | Problem | None:
        """The S3 URI of the result; None if `should_stop` returned True. Any exception (also Ctrl-C) cancels the query."""
        params: dict[str, Any] = {"QueryString": sql, "WorkGroup": self._settings.workgroup}
        if self._settings.output:
            params["ResultConfiguration"] = {"OutputLocation": self._settings.output}
        started = self._call("StartQueryExecution", "QueryExecutionId", **params)
        if isinstance(started, Problem):
            return started
        query_id, execution = started["QueryExecutionId"], None
        try:
            execution = self._wait_for_query(query_id, on_progress, should_stop)
        finally:
            if execution is None or isinstance(execution, Problem):
                self._call("StopQueryExecution", QueryExecutionId=query_id)
        if execution is None or isinstance(execution, Problem):
            return execution
        if execution["Status"]["State"] == "SUCCEEDED":
            return str(execution.get("ResultConfiguration", {}).get("OutputLocation", ""))
        return query_problem(execution["Status"])

    def _wait_for_query(
        self, query_id: str, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> dict[str, Any] | Problem | None:
        """The finished query execution; None if `should_stop` returned True first."""
        intervals_s = iter(POLL_INTERVALS_S)
        while not should_stop():
            response = self._call("GetQueryExecution", "QueryExecution", QueryExecutionId=query_id)
            if isinstance(response, Problem):
                return response
            execution: dict[str, Any] = response["QueryExecution"]
            on_progress(int(execution.get("Statistics", {}).get("DataScannedInBytes", 0)))
            if execution["Status"]["State"] not in UNFINISHED_STATES:
                return execution
            self._sleep(next(intervals_s, POLL_INTERVALS_S[-1]))
        return None

    def _read_result(self, day: LogFile, result: str) -> LogCounts | Problem:
        """The counts from a result's CSV file in S3, because GetQueryResults returns only a thousand rows at a time."""
        bucket, _, key = result.removeprefix("s3://").partition("/")
        with tempfile.TemporaryDirectory(prefix="athena-") as folder:
            config: Any = {"memory_limit": f"{MEMORY_LIMIT_MB}MB", "threads": 2, "temp_directory": f"{folder}/spill"}
            path = Path(folder, "result.csv")
            with duckdb.connect(config=config) as database:
                try:
                    self._logs.save_object(bucket, key, path)
                    load_csv(database, path)
                    totals = line_totals(database)
                except AWS_ERRORS as error:
                    return problem_from_error(error, source=SOURCE, operation=GET_PERMISSION, about=result)
                except duckdb.Error as error:
                    return Problem("bad_reply", SOURCE, GET_PERMISSION, result, str(error))
                window = totals.plausible_window()
                set_aside = totals.outside(window)
                parsed, skipped = totals.parsed - set_aside, totals.skipped + set_aside
                problem: FileProblem | None = "not_a_log" if totals.lines and not parsed + skipped else None
                stats = FileStats(day.identity, totals.lines, parsed, problem, skipped)
                return LogCounts.of(aggregate(database, window), (stats,))

    def check(self) -> tuple[Health, ...]:
        """Checks the workgroup and the database; runs no query, because queries are billed."""
        started_s = time.monotonic()
        group = self._call("GetWorkGroup", "WorkGroup", WorkGroup=self._settings.workgroup)
        problem = group if isinstance(group, Problem) else self._workgroup_problem(group["WorkGroup"])
        workgroup_health = health("athena:GetWorkGroup", started_s, problem, SOURCE)
        started_s = time.monotonic()
        database = self._call(
            "GetDatabase", "Database", CatalogName="AwsDataCatalog", DatabaseName=self._settings.database
        )
        problem = database if isinstance(database, Problem) else None
        return workgroup_health, health("athena:GetDatabase", started_s, problem, SOURCE)

    def _workgroup_problem(self, group: dict[str, Any]) -> Problem | None:
        """Why the workgroup cannot be used, by its own description."""
        settings = group.get("Configuration", {})
        has_output = settings.get("ResultConfiguration", {}).get("OutputLocation", "")
        enforced = settings.get("EnforceWorkGroupConfiguration", False)
        if group.get("State") == "DISABLED":
            detail = "the workgroup is disabled"
        elif has_output or (self._settings.output and not enforced):
            return None
        else:
            detail = "no output location"
        return Problem("bad_request", SOURCE, "athena:GetWorkGroup", self._settings.workgroup, detail)

    def _call(self, action: str, *required_keys: str, **params: Any) -> dict[str, Any] | Problem:
        method = re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower()
        operation, about = f"{SOURCE}:{action}", self._settings.workgroup
        try:
            response = call_api(getattr(self._client(), method), **params)
            require_keys(response, *required_keys)
            return response
        except AWS_ERRORS as error:
            problem = problem_from_error(error, source=SOURCE, operation=operation, about=about)
            self._client.reset_on_auth_error(problem)
            return replace(problem, operation=_denied_action(problem.detail) or operation)


def day_window(day: date) -> Window:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return Window(start, start + DAY_S)


def _date_of(folder: LogFile) -> date:
    return date.fromisoformat(folder.key.rpartition(":")[2])


def query_problem(status: dict[str, Any]) -> Problem:
    """The problem of a query that failed or was cancelled. `status`: that of GetQueryExecution."""
    reason = status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage", "")
    if action := _denied_action(reason):
        return Problem("denied", SOURCE, action, "", reason)
    kind: ProblemKind = "query_cancelled" if status.get("State") == "CANCELLED" else "query_failed"
    return Problem(kind, SOURCE, "count", "", reason)


def _denied_action(reason: str) -> str:
    """The missing IAM action if the text names one. Athena calls Glue and S3 with its caller's permissions."""
    if match := re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)", reason):
        return match[1]
    return GET_PERMISSION if re.search(r"Access Denied.*S3|S3.*Access Denied", reason) else ""
