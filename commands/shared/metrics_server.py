"""/metrics of a command without pages: a small web server in a thread, with the rules of the dashboard's (docs/metrics.md)."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry

from domain.bearer import has_token
from domain.hosts import is_loopback, parse_host_port
from services.metrics import Scrape

PATH = "/metrics"
TIMEOUT_S = 10.0  # of a connection that sends nothing

logger = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        status, body, media_type = self._status(), b"", "text/plain"
        if status == 200:
            try:
                found = Scrape(tuple(self.server.registry.collect()))
                body, media_type = found.encoded(self.headers.get("Accept", ""))
            except Exception:
                logger.exception("metrics not read")
                status = 500
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="recorder"')
        self.end_headers()
        self.wfile.write(body)

    def _status(self) -> int:
        """Without a token it listens on loopback alone; then a name that is not this machine's is DNS rebinding."""
        if self.server.token:
            if not has_token(self.headers.get_all("Authorization", []), self.server.token):
                return 401
        else:
            host = parse_host_port(self.headers.get("Host", ""))
            if host is None or not is_loopback(host.host):
                return 403
        return 200 if self.path == PATH else 404

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is asked every few seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: CollectorRegistry
    token = ""


@contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int, token: str) -> Iterator[int]:
    """Serves while the block runs; its port. Raises OSError if the address cannot be used."""
    with _Server((host, port), _Handler) as server:
        server.registry, server.token = registry, token
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
