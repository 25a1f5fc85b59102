"""Messages of the web server: why it refuses a request, and that it is reachable from outside."""

from messages.i18n import _, lazy

INVALID_HOST = lazy("Missing or invalid Host header (required by HTTP/1.1).")
HEADERS_TOO_LARGE = lazy("Request headers exceed 64 kB. Delete this site's cookies, then reload.")
NO_CONNECTION = lazy(
    "Nothing received for 20 s. This page needs a WebSocket connection (/_stcore/stream): check the proxy and the "
    "browser's extensions, or use cli.py watch."
)
REACHABLE_FROM_OUTSIDE = lazy(
    "This dashboard is reachable from other machines without sign-in: anyone who can connect sees all of it. "
    "Configure [sign_in] in migration.toml (docs/sign_in.md); or, if something in front restricts access, set "
    "protected = true under [server]."
)

AGENT_API_OFF = lazy("The agent API is off. To turn it on, start the dashboard with AGENT_API=1 (docs/agents.md).")


def host_not_allowed(host: str, *, is_configured: bool) -> str:
    if not is_configured:
        return _("Invalid configuration: only local connections are served. Fix the errors in the log, then restart.")
    return _(
        "Host “{host}” is not allowed. Add it to allowed_hosts under [server] in migration.toml, or to "
        "MIGRATION_ALLOWED_HOSTS, then restart."
    ).format(host=host)


def another_site(host: str) -> str:
    """`host`: the valid Host of the request, or ""."""
    return _(
        "Cross-site request blocked. If this is the dashboard's own page, the proxy must forward the browser's Host "
        "header instead of “{host}”."
    ).format(host=host)


def endpoint_refused(name: str) -> str:
    """`name`: what to write in `expose`; "" if the endpoint cannot be exposed."""
    if not name:
        return _("Endpoint disabled: no page uses it.")
    return _(
        'Endpoint disabled: no page uses it. To enable it, add "{name}" to expose under [server] in migration.toml, '
        "then restart."
    ).format(name=name)
