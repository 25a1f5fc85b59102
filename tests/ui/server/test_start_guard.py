"""The server starts only if it serves what it may: with a sign-in that works, on loopback, or because it was asked to."""

import asyncio
from typing import Any

import pytest

import services.sign_in
from domain import ConfigurationError, Migration
from domain.config.several import Configuration
from tests.factories.config import CONFIG_PATH, make_migration
from tests.factories.config_issues import sign_in_table
from tests.fakes.alb_signer import SIGNER
from ui.server.asgi import Event, Receive, Scope, Send
from ui.server.start_guard import StartGuard, is_insecure, start_refusal

ALB = {"method": "alb", "load_balancer": SIGNER, "viewers": ["*"]}
SECRET = {"SIGN_IN_CLIENT_SECRET": "secret-of-the-client"}


def refusal(
    key: str = "migration.backfill",
    value: Any = True,
    *,
    is_open: bool = True,
    insecure: bool = False,
    environment: dict[str, str] | None = None,
) -> str:
    migration: Migration = make_migration(key, value)
    return start_refusal(
        lambda: Configuration((migration,)), environment or {}, is_open=is_open, insecure=insecure
    ).partition(":")[2]


def test_open_to_other_machines_it_needs_a_sign_in_or_a_decision() -> None:
    assert refusal().startswith(" other machines could connect without sign-in and see everything. Configure [sign_in]")
    assert refusal(is_open=False) == refusal(insecure=True) == ""
    assert refusal("server", {"protected": True}) == refusal("sign_in", ALB) == ""
    assert refusal("server", {"author_header": "X-User", "allowed_hosts": ["dashboard.example.com"]})


def test_a_sign_in_that_cannot_work_is_refused_even_on_loopback() -> None:
    for options in ({"is_open": False}, {"insecure": True}, {}):
        assert "SIGN_IN_CLIENT_SECRET" in refusal("sign_in", sign_in_table(), **options)
    assert refusal("sign_in", sign_in_table(), environment=SECRET) == ""
    short = SECRET | {"SIGN_IN_COOKIE_SECRET": "x" * 31}
    assert "fewer than 32 characters" in refusal("sign_in", sign_in_table(), environment=short)
    assert refusal("sign_in", sign_in_table(), environment=SECRET | {"SIGN_IN_COOKIE_SECRET": "x" * 32}) == ""


@pytest.mark.parametrize("table", [ALB, sign_in_table()])
def test_a_sign_in_whose_packages_are_missing_is_refused(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        services.sign_in, "PACKAGES", {"alb": ("no_such_package",), "oidc": ("json", "no_such_package")}
    )
    assert "requirements-auth.txt" in start_refusal(
        lambda: Configuration((make_migration("sign_in", table),)), SECRET, is_open=False, insecure=True
    )


def test_an_invalid_configuration_may_have_had_a_sign_in() -> None:
    def load() -> Configuration:
        raise ConfigurationError(CONFIG_PATH, ())

    assert "migration.toml" in start_refusal(load, {}, is_open=True, insecure=False)
    assert start_refusal(load, {}, is_open=False, insecure=False) == ""
    assert start_refusal(load, {}, is_open=True, insecure=True) == ""


def test_insecure_by_option_or_variable() -> None:
    assert is_insecure(["dashboard.py", "--insecure"], {}) and is_insecure([], {"INSECURE": "1"})
    assert not is_insecure(["dashboard.py", "insecure"], {"INSECURE": "0"})


@pytest.mark.parametrize("reason", ["", "Not started: …"])
def test_nothing_behind_the_guard_starts_if_there_is_a_reason(reason: str) -> None:
    started, sent = list[str](), list[Event]()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        started.append(scope["type"])

    async def receive() -> Event:
        return {"type": "lifespan.startup"}

    async def send(event: Event) -> None:
        sent.append(event)

    asyncio.run(StartGuard(app, lambda _is_open: reason)({"type": "lifespan"}, receive, send))
    assert started == ([] if reason else ["lifespan"])
    assert sent == ([{"type": "lifespan.startup.failed", "message": reason}] if reason else [])
