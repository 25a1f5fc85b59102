"""Records the decision on the current phase, once a minute, so that the gate answers at once, and all callers alike."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from analysis import Phase
from archive import Archive, ArchiveError
from archive.decisions import RecordedDecision
from domain import Clock, Migration, utc_now
from domain.decision import RoutesState
from domain.window import MINUTE_S
from messages.i18n import in_language
from services.evaluation import Evaluation, evaluate_archived
from services.phases import count_phase, read_phases
from services.sign_off import judged_margins

RECORD_INTERVAL_S = 60  # of all processes that share an archive
FIRST_RECORD_AFTER_S = 10.0  # the first pages and polls have the machine to themselves
RETRY_INTERVAL_S = 10  # while there is no data, as after the start
MAX_RECORD_AGE_S = 5 * MINUTE_S  # an older decision is none: the recorder has stopped, or cannot write
MAX_CLOCK_OFFSET_S = 30  # of the process that recorded
IN_USE_S = 15 * MINUTE_S  # after a request, logs are counted for the gate
PAUSE_FACTOR = 1  # of the duration of an evaluation, after it: leaves processor time to the pages and the collector
STOP_TIMEOUT_S = 5.0
SLOT = "gate"  # the name of the poll slot

ToJson = Callable[[Evaluation], Mapping[str, Any]]  # reports.sign_offs.signed_evaluation_json

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class GateRecorder:
    """Records the decisions of one migration by the archived data of `source`.

    `routes_of`: `requested_routes_state` of its collector; None without access logs.
    """

    archive: Archive
    migration: Migration
    source: str
    to_json: ToJson
    routes_of: Callable[..., RoutesState] | None = None
    interval_s: int = RECORD_INTERVAL_S

    def record_if_due(self, now: datetime) -> int:
        """Records unless any process did in the last `interval_s`; returns the seconds until it is due again. Raises ArchiveError."""
        wait_s = self.archive.try_acquire_slot(SLOT, "decision", now=now, interval_s=self.interval_s)
        if wait_s == 0:
            self.record(now)
        return wait_s or self.interval_s

    def record(self, now: datetime) -> None:
        """Evaluates the current phase and saves the result, and the margins that were used. Raises ArchiveError."""
        phases = read_phases(self.archive, self.source, now=now)
        evaluation = self._evaluate(phases, now)
        self.interval_s = RETRY_INTERVAL_S if evaluation.unavailable else RECORD_INTERVAL_S
        with in_language(self.migration.notify.language or None if self.migration.notify else None):
            body = json.dumps({**self.to_json(evaluation), "migration": self.migration.slug}, ensure_ascii=False)
        phase = phases[-1]
        decision = RecordedDecision(phase.number, phase.window.start, int(now.timestamp()), body)
        self.archive.decisions.save(decision, {item.number: item.window.start for item in phases})
        self.archive.sign_offs.save_margins(judged_margins(evaluation.judgement), decision.recorded_at)

    def _evaluate(self, phases: Sequence[Phase], now: datetime) -> Evaluation:
        """As `judge` has it. The access logs are counted for it while the gate is in use: each file is downloaded, and queries are billed."""
        archive, migration, source, phase = self.archive, self.migration, self.source, phases[-1]
        in_use = now.timestamp() - archive.decisions.asked_at() <= IN_USE_S
        routes_of = partial(self.routes_of, request=in_use) if self.routes_of else None
        evaluation = evaluate_archived(archive, migration, source, phase, now=now, routes_of=routes_of)
        until = evaluation.final_until
        counts = count_phase(archive, migration, source, phases, phase, until=until, now=now)
        return replace(evaluation, counts=counts, ledger=archive.sign_offs.read())


class GateThread:
    """Records the decisions of several migrations, one after the other, in a thread of its own.

    `releases`: the recorders of the releases that run now.
    """

    def __init__(
        self,
        recorders: Sequence[GateRecorder],
        clock: Clock = utc_now,
        *,
        releases: Callable[[], Iterable[GateRecorder]] = tuple,
    ) -> None:
        self._recorders, self._releases, self._clock = recorders, releases, clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the decision that is being recorded, or after STOP_TIMEOUT_S."""
        self._stopping.set()
        if self._thread:
            self._thread.join(STOP_TIMEOUT_S)

    def record_all(self) -> float:
        """Records what is due; returns the seconds until the next one is. A migration whose archive cannot be used waits for the next turn."""
        next_s = float(RECORD_INTERVAL_S)
        for recorder in (*self._recorders, *self._releases()):
            if self._stopping.is_set():
                break
            started = time.monotonic()
            try:
                next_s = min(next_s, recorder.record_if_due(self._clock()))
            except ArchiveError as error:
                logger.warning("decision not recorded: %s", error, extra={"migration": recorder.migration.slug})
            except Exception:  # one migration must not stop the others
                logger.exception("decision not recorded", extra={"migration": recorder.migration.slug})
            self._stopping.wait(PAUSE_FACTOR * (time.monotonic() - started))
        return next_s

    def _run(self) -> None:
        self._stopping.wait(FIRST_RECORD_AFTER_S)
        while not self._stopping.is_set():
            self._stopping.wait(self.record_all())
