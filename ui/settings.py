"""The configuration of this process, and what the server needs of it before the archive is open."""

import logging
import os
from pathlib import Path

from domain import Configuration
from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn
from domain.hosts import normalize_host
from sources.configuration import find_configuration

logger = logging.getLogger(__name__)
_server_settings: ServerSettings | None = None
_sign_in: SignIn | None = None


def load_settings() -> Configuration:
    """The configuration, and from now on server_settings() and sign_in_settings() are its own. Raises ConfigurationError."""
    global _server_settings, _sign_in
    configuration = load_configuration()
    _server_settings, _sign_in = _with_environment(configuration.server), configuration.sign_in
    return configuration


def load_configuration() -> Configuration:
    """The migrations of MIGRATION_CONFIG or ./migration.toml; the demo if there is neither, or if MIGRATION_DEMO=1.

    Raises ConfigurationError, also if the path of MIGRATION_CONFIG does not exist: a typing error must not open the demo.
    """
    path = os.environ.get("MIGRATION_CONFIG", "")
    return find_configuration(Path(path) if path else None, demo=os.environ.get("MIGRATION_DEMO") == "1")


def server_settings() -> ServerSettings | None:
    """The settings of the configuration that was loaded last; None if none was valid yet. Also if its archive cannot be opened. Never waits."""
    return _server_settings


def sign_in_settings() -> SignIn | None:
    """The [sign_in] of the configuration that was loaded last; None without one."""
    return _sign_in


def _with_environment(settings: ServerSettings) -> ServerSettings:
    """Adds the hosts of MIGRATION_ALLOWED_HOSTS, separated by commas."""
    hosts = list(settings.allowed_hosts)
    for text in filter(None, map(str.strip, os.environ.get("MIGRATION_ALLOWED_HOSTS", "").split(","))):
        if host := normalize_host(text):
            hosts.append(host)
        else:
            logger.warning("not a host in MIGRATION_ALLOWED_HOSTS: %s", text)
    return settings.model_copy(update={"allowed_hosts": tuple(hosts)})
