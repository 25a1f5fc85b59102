"""A dashboard with a sign-in: its configuration, whose sources cannot be reached, and its environment."""

from pathlib import Path

from tests.factories.config import CONFIG_TOML
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, FakeOpenIdProvider

COOKIE_SECRET = "0123456789abcdef0123456789abcdef"
GATE_TOKEN = "token-of-the-gate"
# Polls end at once: nothing listens there.
SOURCES = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "MACKEREL_APIBASE": "http://127.0.0.1:9",
    "MACKEREL_APIKEY": "key",
    "HTTP_PROXY": "",
}
SECRETS = {"SIGN_IN_CLIENT_SECRET": CLIENT_SECRET, "SIGN_IN_COOKIE_SECRET": COOKIE_SECRET, "GATE_TOKEN": GATE_TOKEN}


def write_config(folder: Path, sign_in: str) -> dict[str, str]:
    """The environment of a server with that sign-in."""
    path = folder / "migration.toml"
    text = CONFIG_TOML.replace("sqlite:///archive.db", f"sqlite:///{folder}/archive.db")
    text = text.replace('profile = "photo-readonly"\n', "").replace("provisional", "backfill = false\nprovisional")
    path.write_text(f"{text}\n[sign_in]\n{sign_in}", encoding="utf-8")
    return {"MIGRATION_CONFIG": str(path), **SOURCES, **SECRETS}


def oidc_table(provider: FakeOpenIdProvider, port: int) -> str:
    """Viewers by domain, editors and approvers by group."""
    return (
        f'method = "oidc"\nissuer = "{provider.url}"\nclient_id = "{CLIENT_ID}"\n'
        f'dashboard_url = "http://127.0.0.1:{port}"\n'
        'viewers = ["@example.com"]\neditors = ["editors"]\napprovers = ["ops"]\n'
    )
