"""What a run of a batch job logged: one step of its work, with its SQL, rows, duration and success."""

from dataclasses import dataclass

from domain.config.batches import SchedulerKind

RUN_STEPS = "function_logs"  # the source
MAX_SQL_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class RunStep:
    """`ts`: epoch seconds at which it was logged. `request_id`: of the Lambda invocation, the same for its retries; `event_id`: of the event that
    started it. "" and None: not logged.
    """

    key: str
    job: str
    scheduler: SchedulerKind
    ts: int
    request_id: str = ""
    event_id: str = ""
    sql: str = ""
    rows: float | None = None
    seconds: float | None = None
    success: bool | None = None
