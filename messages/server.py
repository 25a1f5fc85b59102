"""Messages of the web server: why it refuses a request, and that it is reachable from outside."""

from messages.i18n import _, lazy

INVALID_HOST = lazy("The request has no valid Host header, which HTTP/1.1 requires.")
HEADERS_TOO_LARGE = lazy(
    "The headers of the request have more than 64 kB: delete the cookies of this address, and open the page again."
)
REACHABLE_FROM_OUTSIDE = lazy(
    "This dashboard is reachable from other machines and has no sign-in: everyone who can connect sees all of it. "
    "Put an authenticating proxy or a private network in front of it, then set protected = true under [server] in migration.toml (docs/OPERATIONS.md)."
)


def host_not_allowed(host: str, *, is_configured: bool) -> str:
    if not is_configured:
        return _(
            "The configuration is invalid, so this dashboard serves only its own machine: correct the errors in its log, then restart it."
        )
    return _(
        "This dashboard does not serve the host “{host}”: add it to allowed_hosts under [server] in migration.toml, or to MIGRATION_ALLOWED_HOSTS, "
        "and restart the dashboard."
    ).format(host=host)


def another_site(host: str) -> str:
    """`host`: the valid Host of the request, or ""."""
    return _(
        "Requests from pages of other sites are refused; if this is the dashboard's own page, the proxy in front must pass on the browser's Host header "
        "instead of “{host}”."
    ).format(host=host)


def endpoint_refused(name: str) -> str:
    """`name`: what to write in `expose`; "" if the endpoint cannot be exposed."""
    if not name:
        return _("No page uses this endpoint of Streamlit, so it is refused.")
    return _(
        'No page uses this endpoint of Streamlit, so it is refused: if you need it, add "{name}" to expose under [server] in migration.toml, '
        "and restart the dashboard."
    ).format(name=name)
