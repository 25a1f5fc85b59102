"""The outbox of notifications: what was announced last, and the messages that are to be sent, each by one process at a time."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, or_, select, update

from archive.db import schema
from archive.db.database import Database
from archive.db.upsert import upsert
from archive.events.source_state import problems_from_json, problems_to_json
from domain.window import DAY_S, HOUR_S
from sources.base import Problem

MAX_AGE_S = DAY_S  # of a message that could not be sent: then it is given up
MAX_RETRY_S = HOUR_S  # until the next attempt
KEEP_S = 30 * DAY_S  # messages that were sent, and subjects that are no longer read

SendOutcome = Literal["sent", "refused", "expired"]
_BASELINE = ""  # the subject whose `since_s` is the start of notifications


@dataclass(frozen=True, slots=True)
class Announced:
    """The value that was announced last, and another one that was read once, at `candidate_s` ("": none). Times in epoch seconds."""

    value: str
    since_s: int
    candidate: str = ""
    candidate_s: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this process alone may send until the claim expires. `attempts`: those before.

    `key` is the same at every attempt. `body`: a notice as JSON. `may_have_arrived`: the outcome of an attempt is unknown.
    """

    key: str
    channel: str
    owner: str
    body: str
    attempts: int
    may_have_arrived: bool


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The outbox of a channel. `last_sent_at`: epoch seconds, None if nothing was sent in KEEP_S. `waiting`: messages to be sent.

    `attempts`, `problems`: of the oldest of them. `failed`: those given up in the last day, `failure` why the last of them was.
    """

    channel: str
    last_sent_at: int | None
    waiting: int
    attempts: int
    problems: tuple[Problem, ...]
    failed: int = 0
    failure: tuple[Problem, ...] = ()


class NotificationStore:
    """Saves and reads them. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- what was announced

    def start(self, now: int) -> int:
        """Since when changes are announced (epoch seconds): the time of the first call of any process."""
        if known := self.announced().get(_BASELINE):
            return known.since_s
        with self._database.writing() as connection:
            row = {**self._row(_BASELINE), "value": "", "candidate": "", "candidate_s": 0, "since_s": now}
            upsert(connection, schema.announced, [row], ignore_existing=True)
            return self._known(connection)[_BASELINE].since_s

    def announced(self) -> dict[str, Announced]:
        """By subject."""
        return self._database.read(lambda connection, _id: self._known(connection))

    def note(self, subject: str, announced: Announced) -> None:
        """Keeps a state of a subject of which nothing is announced: its first one, or another candidate."""
        with self._database.writing() as connection:
            self._write(connection, subject, announced)

    def announce(
        self, subject: str, before: str | None, value: str, bodies: Mapping[str, str], *, key: str, now: int
    ) -> bool:
        """Makes `value` the announced one, and puts its messages into the outbox: `bodies` by channel, all with the same `key`.

        Does neither, and returns False, if the announced value is not `before` any more: another process was faster.
        """
        with self._database.writing() as connection:
            known = self._known(connection).get(subject)
            if (known.value if known else None) != before:
                return False
            self._write(connection, subject, Announced(value, now))
            self._enqueue(connection, bodies, key, now)
            return True

    def enqueue(self, bodies: Mapping[str, str], *, key: str, now: int) -> None:
        """Puts messages into the outbox, by channel."""
        with self._database.writing() as connection:
            self._enqueue(connection, bodies, key, now)

    # ---- the outbox

    def claim_next(self, channel: str, *, claim_s: int, now: int) -> Claim | None:
        """The oldest message of a channel if it is due and no other process sends it; that process has `claim_s` seconds.

        A claim that expired was of a process that ended: whether it sent the message is unknown. Messages older than MAX_AGE_S are given up.
        """
        table = schema.notification
        if not self._database.read(lambda connection, _id: connection.scalar(select(self._waits(channel)))):
            return None  # without a write transaction, every few seconds
        with self._database.writing() as connection:
            now = _database_time(connection, now)
            self._close(connection, self._open(channel), table.c.created_at <= now - MAX_AGE_S, now=now)
            connection.execute(delete(table).where(self._of_migration, table.c.done_at <= now - KEEP_S))
            oldest = select(table).where(self._open(channel)).order_by(table.c.position).limit(1)
            row = connection.execute(oldest).one_or_none()
            # A time that lies too far ahead comes from a wrong clock.
            if row is None or now < row.due_at <= now + MAX_RETRY_S or now < row.claimed_until <= now + claim_s:
                return None
            claim = Claim(row.key, channel, secrets.token_hex(8), row.body, row.attempts, row.claimed_until > 0)
            values = {"claim_owner": claim.owner, "claimed_until": now + claim_s, "attempts": row.attempts + 1}
            connection.execute(update(table).where(self._open(channel), table.c.key == row.key).values(values))
            return claim

    def finish(self, claim: Claim, outcome: Literal["sent", "refused"], problem: Problem | None, *, now: int) -> bool:
        """Ends a claim for good; False if it expired and another process has the message."""
        with self._database.writing() as connection:
            return self._close(connection, self._claimed(claim), now=now, outcome=outcome, problem=problem)

    def retry(self, claim: Claim, problem: Problem, *, in_s: float, may_have_arrived: bool, now: int) -> None:
        """Ends a claim; the message is due again in `in_s` seconds. `may_have_arrived`: the outcome of the attempt is unknown."""
        with self._database.writing() as connection:
            now = _database_time(connection, now)
            claimed_until = now if may_have_arrived or claim.may_have_arrived else 0
            due_at = now + int(min(in_s, MAX_RETRY_S))
            values = {"due_at": due_at, "claimed_until": claimed_until, "problems": problems_to_json([problem])}
            connection.execute(update(schema.notification).where(self._claimed(claim)).values(values))

    def channel_states(self, now: int) -> tuple[ChannelState, ...]:
        """Of every channel that has had a message."""
        return self._database.read(_read_channels, now)

    # ---- helpers

    @property
    def _of_migration(self) -> ColumnElement[bool]:
        return schema.notification.c.migration_id == self._database.migration_id

    def _open(self, channel: str) -> ColumnElement[bool]:
        table = schema.notification
        return and_(self._of_migration, table.c.channel == channel, table.c.done_at.is_(None))

    def _waits(self, channel: str) -> ColumnElement[bool]:
        return exists().where(self._open(channel))

    def _claimed(self, claim: Claim) -> ColumnElement[bool]:
        table = schema.notification
        return and_(self._open(claim.channel), table.c.key == claim.key, table.c.claim_owner == claim.owner)

    def _close(
        self,
        connection: Connection,
        *conditions: ColumnElement[bool],
        now: int,
        outcome: SendOutcome = "expired",
        problem: Problem | None = None,
    ) -> bool:
        values: dict[str, object] = {"done_at": now, "outcome": outcome}
        if outcome != "expired":
            values["problems"] = problems_to_json([problem] if problem else [])
        return bool(connection.execute(update(schema.notification).where(*conditions).values(values)).rowcount)

    def _row(self, subject: str) -> dict[str, object]:
        return {"migration_id": self._database.migration_id, "subject": subject}

    def _known(self, connection: Connection) -> dict[str, Announced]:
        table = schema.announced
        columns = (table.c.subject, table.c.value, table.c.since_s, table.c.candidate, table.c.candidate_s)
        rows = connection.execute(select(*columns).where(table.c.migration_id == self._database.migration_id))
        return {subject: Announced(*values) for subject, *values in rows}

    def _write(self, connection: Connection, subject: str, announced: Announced) -> None:
        values = {name: getattr(announced, name) for name in ("value", "since_s", "candidate", "candidate_s")}
        upsert(connection, schema.announced, [{**self._row(subject), **values}])

    def _enqueue(self, connection: Connection, bodies: Mapping[str, str], key: str, now: int) -> None:
        table = schema.notification
        now = _database_time(connection, now)
        last = connection.scalar(select(func.max(table.c.position)).where(self._of_migration)) or 0
        rows = [
            {
                "migration_id": self._database.migration_id,
                "key": key,
                "channel": channel,
                "created_at": now,
                "position": last + 1,
                "body": body,
                "outcome": "",
                "problems": "[]",
                "claim_owner": "",
                "attempts": 0,
                "due_at": 0,
                "claimed_until": 0,
            }
            for channel, body in bodies.items()
        ]
        if rows:
            connection.execute(insert(table), rows)


def _database_time(connection: Connection, now: int) -> int:
    """The one clock of all processes that share the database: that of a PostgreSQL server, or that of the machine (`now`)."""
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or now)
    return now


def _read_channels(connection: Connection, migration_id: int, now: int) -> tuple[ChannelState, ...]:
    table = schema.notification
    recent = or_(table.c.done_at.is_(None), table.c.outcome == "sent", table.c.done_at > now - DAY_S)
    columns = (table.c.channel, table.c.done_at, table.c.outcome, table.c.attempts, table.c.problems)
    query = select(*columns).where(table.c.migration_id == migration_id, recent).order_by(table.c.position)
    by_channel: dict[str, list[tuple[int | None, str, int, str]]] = {}
    for channel, *values in connection.execute(query):
        by_channel.setdefault(channel, []).append((values[0], values[1], values[2], values[3]))
    states = []
    for channel, rows in sorted(by_channel.items()):
        waiting = [row for row in rows if row[0] is None]
        sent = [row[0] for row in rows if row[0] is not None and row[1] == "sent"]
        failed = [row for row in rows if row[1] in ("refused", "expired")]
        states.append(
            ChannelState(
                channel,
                max(sent, default=None),
                len(waiting),
                waiting[0][2] if waiting else 0,
                problems_from_json(waiting[0][3]) if waiting else (),
                len(failed),
                problems_from_json(failed[-1][3]) if failed else (),
            )
        )
    return tuple(states)
