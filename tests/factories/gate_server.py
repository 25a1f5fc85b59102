"""The real server with decisions that the test records, in place of the program's own."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from archive import Archive
from archive.decisions import RecordedDecision
from domain.decision import EXIT_CODES, Decision
from sources.demo.sources import demo_migration, program_anchor
from tests.factories.dashboard_server import ROOT, DashboardServer, run_dashboard

# In the server's process: it records nothing itself, and reads the archive for each request, however long that takes: a busy machine makes no 503.
SITECUSTOMIZE = """
from services import gate
from ui.server import recent_read
gate.GateThread.start = lambda thread: None
recent_read.MAX_AGE_S = 0.0
recent_read.TIMEOUT_S = 60.0
"""


@dataclass(frozen=True, slots=True)
class GateReply:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


@dataclass(frozen=True, slots=True)
class GateServer:
    """A running server, and the archive of its migration."""

    server: DashboardServer
    archive: Archive

    @property
    def url(self) -> str:
        return self.server.url

    def record(
        self,
        decision: Decision,
        *,
        age_s: int = 0,
        phase: int = 1,
        share: float = 0.1,
        minutes: int | None = None,
        **keys: Any,
    ) -> None:
        """A decision of `age_s` seconds ago on the canary with `share`. `minutes`: the forecast of an undecided criterion."""
        reasons = [
            {"code": "undecided", "subject": "error_rate", "minutes": minutes, "sentence": "Error rate: undecided."}
        ]
        body = {
            "schema": 1,
            "migration": self.slug,
            "ok": decision == "continue",
            "decision": decision,
            "verdict": "parity" if decision == "continue" else "undecided",
            "exit_code": EXIT_CODES[decision],
            "headline": f"{decision.upper()} · as the test says",
            "reasons": [] if decision == "continue" else reasons,
            "phase": {"number": phase, "name": f"{phase} · {share:.0%}", "canary_share": share},
            **keys,
        }
        recorded_at = int(time.time()) - age_s
        self.archive.decisions.save(
            RecordedDecision(phase, recorded_at - 60, recorded_at, json.dumps(body)), {phase: recorded_at - 60}
        )

    @property
    def slug(self) -> str:
        return demo_migration(program_anchor()).slug

    def ask(
        self,
        path: str = "/api/v1/decision",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> GateReply:
        request = Request(f"{self.url}{path}", body, dict(headers or {}), method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return GateReply(response.status, response.headers, response.read())
        except HTTPError as error:
            return GateReply(error.code, error.headers, error.read())


@contextmanager
def run_gate(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[GateServer]:
    """The demo's server with an archive in `folder`."""
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    paths = {"MIGRATION_DEMO": "1", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    with run_dashboard(folder, paths | dict(environment or {})) as server:
        (path,) = folder.rglob("*.db")
        with Archive.open(f"sqlite:///{path}", demo_migration(program_anchor())) as archive:
            yield GateServer(server, archive)
