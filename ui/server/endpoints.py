"""What reads the archive, or the state of the collectors, and is not a page: health checks, metrics and the API."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archive import SourceState
from ui import app_context
from ui.server.api import Api
from ui.server.asgi import ASGIApp, Receive, Scope, Send
from ui.server.gate import Gate
from ui.server.metrics import MetricsEndpoint
from ui.server.paths import API_PREFIX
from ui.server.recent_read import LIVENESS_WAIT_S, RecentRead
from ui.server.request_guard import METRICS_PATH

NO_STORE = {"cache-control": "no-store"}
source_states = RecentRead[tuple[SourceState, ...]]()
metrics_endpoint = MetricsEndpoint()


def create_endpoints(token: str) -> ASGIApp:
    """The ASGI application of all of them. `token`: the gate's; "" without one."""
    api = Api(Gate(app_context.opened_contexts, token))
    others = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route(METRICS_PATH, metrics)])

    async def endpoints(scope: Scope, receive: Receive, send: Send) -> None:
        # Gates alone ask a thousand times a second: Starlette's router would add 7 % to the time of an answer.
        await (api if scope["path"].startswith(API_PREFIX) else others)(scope, receive, send)

    return endpoints


async def healthz(_request: Request) -> Response:
    """200 while the server can serve: pages without sources still show archived data. Asks no source.

    `sources`: the state of each; `internal_error`: the sources whose last poll raised an exception.
    """
    states: tuple[SourceState, ...] = ()
    if contexts := app_context.opened_contexts():
        states = await source_states.get(contexts.source_states, wait_s=LIVENESS_WAIT_S) or ()
    by_name = {state.source: state.state for state in sorted(states, key=lambda state: state.state != "up")}
    failed = {state.source for state in states for problem in state.problems if problem.kind == "internal_error"}
    return JSONResponse({"status": "ok", "sources": by_name, "internal_error": sorted(failed)})


async def readyz(_request: Request) -> Response:
    """200 if the archive can be read and every poll ends in time, else 503. `silent`: the sources with a poll that does not."""
    contexts = app_context.opened_contexts()
    if contexts and (await source_states.get(contexts.source_states) is None or not contexts.is_archive_readable):
        contexts = None
    silent = contexts.silent_sources if contexts else ()
    return JSONResponse(
        {"status": "ok" if contexts and not silent else "unavailable", "silent": silent},
        200 if contexts and not silent else 503,
    )


async def metrics(request: Request) -> Response:
    """The program's own metrics, for Prometheus; 503 if they could not be read in time."""
    found = await metrics_endpoint.respond(request.headers.get("accept", ""))
    if found is None:
        return Response(status_code=503, headers=NO_STORE)
    body, media_type = found
    return Response(body, headers=NO_STORE | {"content-type": media_type})
