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
from sources.access_logs.aggregate import finished, load_csv
from sources.access_logs.base import Listing, health
from sources.access_logs.counter import Counted, Tally
from sources.access_logs.filenames import LATE_S, LogFile, days, folder_of, names_of, time_of
from sources.aws import athena_table
from sources.aws.athena_table import LogTable
from sources.aws.client import FAULTS, call, client, problem_of
from sources.aws.s3_access_logs import S3Logs
from sources.base import Health, Problem

NAME = "athena"
MEMORY_MB = 256  # to read its counts
DAY_S = 86_400
LEAST_BYTES = 10_000_000  # of a query, that are charged in any case
TERABYTE = 1e12  # AWS does not say which it means: of the two the one that makes the estimate higher
MOST_APART = 1000  # files of a day that a query can leave out: its text may have 262,144 characters
PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # between two looks at a query; the last one from then on
WAITING = frozenset({"QUEUED", "RUNNING"})


class AthenaLogs:
    """A sources.access_logs.base.CountedByDay over the logs that `place` knows. `clients` has boto3 clients by service; those left out are made when needed."""

    name = NAME

    def __init__(
        self,
        aws: Aws,
        settings: Settings,
        place: S3Logs,
        patterns: Sequence[str] = (),
        *,
        clock: Clock = utc_now,
        clients: dict[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws, self._settings, self._logs, self._patterns = aws, settings, place, tuple(patterns)
        self._clock, self._sleep = clock, sleep
        self._clients = dict(clients or {})
        self._made: set[str] = set()  # tables that are known to be there

    def files(self, window: Window) -> Listing:
        """The days of `window` (UTC, as the folders are) that are over, each with its files; a problem names those that are not."""
        place = self._logs.place()
        if isinstance(place, Problem):
            return Listing(problems=(place,))
        found, young, foreign = list[LogFile](), list[date](), 0
        now = int(self._clock().timestamp())
        try:
            for day in days(window.starts_at.date(), (window.ends_at - timedelta(seconds=1)).date()):
                span = day_window(day)
                if span.end + LATE_S > now:
                    young.append(day)
                    continue
                folder, others = self._folder(*place, day)
                found += [folder] if folder.parts else []
                foreign += others
        except FAULTS as error:
            problem = problem_of(error, source=self.name, operation="s3:ListBucket", about=place[0])
            return Listing(tuple(found), (problem,), foreign)
        too_young = Problem("incomplete", self.name, "count", ", ".join(map(str, young)), "not_over")
        return Listing(tuple(found), (too_young,) if young else (), foreign)

    def _folder(self, bucket: str, prefix: str, day: date) -> tuple[LogFile, int]:
        """A day's folder, with the size of all that Athena reads there, and how many files in it are not this load balancer's."""
        size, parts, foreign = 0, list[LogFile](), 0
        for one in self._logs.objects(bucket, f"{folder_of(self._aws.load_balancer_arn, prefix)}/{day:%Y/%m/%d}/"):
            size += one["Size"]
            name = one["Key"].rpartition("/")[2]
            if name.startswith(names_of(self._aws.load_balancer_arn)):
                parts.append(LogFile(one["Key"], one["Size"], time_of(name)))
            else:
                foreign += 1
        return LogFile(f"{NAME}:{day}", size, day_window(day), tuple(parts)), foreign

    def bring(self, file: LogFile) -> Problem:
        """Nothing is brought here."""
        return Problem("bad_request", self.name, "read", file.key)

    def cost_usd(self, folders: Sequence[LogFile]) -> float:
        """What it costs at most to count these days: everything in their folders is read once."""
        charged = sum(max(one.size, LEAST_BYTES) for one in folders)
        return charged / TERABYTE * self._settings.usd_per_tb

    def refuses(self, folders: Sequence[LogFile]) -> Problem | None:
        cost_usd = self.cost_usd(folders)
        if cost_usd > self._settings.max_usd:
            size = sum(one.size for one in folders)
            return Problem(
                "too_costly", self.name, "count", str(size), f"{cost_usd:.2f} USD, {self._settings.max_usd:.2f} USD"
            )
        for one in folders:
            if len(one.apart) > MOST_APART:
                return Problem("incomplete", self.name, "count", _day(one).isoformat(), "counted")
        return None

    def count_day(
        self, day: LogFile, *, told: Callable[[int], None], stop: Callable[[], bool]
    ) -> Counted | Problem | None:
        place = self._logs.place()
        if isinstance(place, Problem):
            return place
        table = LogTable(self._settings.database, *place, self._aws.load_balancer_arn)
        if table.name not in self._made:
            made = self._run(table.create(), lambda _read: None, stop)
            if not isinstance(made, str):
                return made
            self._made.add(table.name)
        result = self._run(table.count(_day(day), self._patterns, day.apart), told, stop)
        return self._fetched(day, result) if isinstance(result, str) else result

    def _run(self, sql: str, told: Callable[[int], None], stop: Callable[[], bool]) -> str | Problem | None:
        """Where in S3 the result of a query is; None where `stop` said so. Whatever ends this early, Ctrl-C too, ends the query."""
        asked: dict[str, Any] = {"QueryString": sql, "WorkGroup": self._settings.workgroup}
        if self._settings.output:
            asked["ResultConfiguration"] = {"OutputLocation": self._settings.output}
        started = self._ask("StartQueryExecution", **asked)
        if isinstance(started, Problem):
            return started
        query = started["QueryExecutionId"]
        try:
            ended = self._ended(query, told, stop)
        except BaseException:
            self._ask("StopQueryExecution", QueryExecutionId=query)
            raise
        if ended is None or isinstance(ended, Problem):
            self._ask("StopQueryExecution", QueryExecutionId=query)
            return ended
        status = ended["Status"]
        if status["State"] == "SUCCEEDED":
            return str(ended.get("ResultConfiguration", {}).get("OutputLocation", ""))
        return failure(status)

    def _ended(
        self, query: str, told: Callable[[int], None], stop: Callable[[], bool]
    ) -> dict[str, Any] | Problem | None:
        """A query once it has ended; None where `stop` said so first."""
        pauses = iter(PAUSES_S)
        while not stop():
            reply = self._ask("GetQueryExecution", QueryExecutionId=query)
            if isinstance(reply, Problem):
                return reply
            execution: dict[str, Any] = reply["QueryExecution"]
            told(int(execution.get("Statistics", {}).get("DataScannedInBytes", 0)))
            if execution["Status"]["State"] not in WAITING:
                return execution
            self._sleep(next(pauses, PAUSES_S[-1]))
        return None

    def _fetched(self, day: LogFile, result: str) -> Counted | Problem:
        """The counts from a result: Athena's CSV file in S3, as its own API gives no more than a thousand rows at a time."""
        bucket, _, key = result.removeprefix("s3://").partition("/")
        with (
            tempfile.TemporaryDirectory(prefix="athena-") as room,
            duckdb.connect(
                config={"memory_limit": f"{MEMORY_MB}MB", "threads": 2, "temp_directory": f"{room}/spill"}
            ) as database,
        ):
            path = Path(room, "result.csv")
            try:
                reply = call(self._client("s3").get_object, Bucket=bucket, Key=key)
                with path.open("wb") as out, contextlib.closing(reply["Body"]) as body:
                    shutil.copyfileobj(body, out, 1 << 20)
                load_csv(database, path)
                lines, parsed = database.execute(
                    "SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (minute <> ?), 0) FROM grouped",
                    [athena_table.NO_LINE],
                ).fetchall()[0]
            except FAULTS as error:
                return problem_of(error, source=self.name, operation="s3:GetObject", about=result)
            except duckdb.Error as error:
                return Problem("bad_reply", self.name, "s3:GetObject", result, str(error))
            tally = Tally(day.identity, int(lines), int(parsed), "not_a_log" if lines and not parsed else None)
            return Counted(*finished(database), (tally,))

    def check(self) -> tuple[Health, ...]:
        """May the workgroup and the database be used? Runs no query: that would cost."""
        began = time.monotonic()
        group = self._ask("GetWorkGroup", WorkGroup=self._settings.workgroup)
        unfit = group if isinstance(group, Problem) else self._unfit(group["WorkGroup"])
        lines = [replace(health("athena:GetWorkGroup", began, unfit), source=self.name)]
        began = time.monotonic()
        asked = {"CatalogName": "AwsDataCatalog", "DatabaseName": self._settings.database}
        database = self._ask("GetDatabase", **asked)
        problem = database if isinstance(database, Problem) else None
        return (*lines, replace(health("athena:GetDatabase", began, problem), source=self.name))

    def _unfit(self, group: dict[str, Any]) -> Problem | None:
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

    def _ask(self, action: str, **parameters: Any) -> dict[str, Any] | Problem:
        method = re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower()
        try:
            return call(getattr(self._client(NAME), method), **parameters)
        except FAULTS as error:
            problem = problem_of(error, source=self.name, operation=f"{NAME}:{action}", about=self._settings.workgroup)
            return replace(problem, operation=_refused(problem.detail) or problem.operation)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(service, self._aws)
        return self._clients[service]


def day_window(day: date) -> Window:
    start = int((day - date(1970, 1, 1)).total_seconds())
    return Window(start, start + DAY_S)


def _day(folder: LogFile) -> date:
    return date.fromisoformat(folder.key.rpartition(":")[2])


def failure(status: dict[str, Any]) -> Problem:
    """Why a query did not succeed: its status as GetQueryExecution gives it."""
    reason = status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage", "")
    if action := _refused(reason):
        return Problem("denied", NAME, action, "", reason)
    return Problem(
        "query_cancelled" if status.get("State") == "CANCELLED" else "query_failed", NAME, "count", "", reason
    )


def _refused(reason: str) -> str:
    """The IAM action that is missing, if these words name one: Athena asks Glue and S3 in the name of whoever asks it."""
    if found := re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)", reason):
        return found[1]
    return "s3:GetObject" if re.search(r"Access Denied.*S3|S3.*Access Denied", reason) else ""
