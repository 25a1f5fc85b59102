"""Who gets which role by the claims of a sign-in; and that no other migration's mistake removes the sign-in."""

from pathlib import Path
from typing import Any

import pytest

from domain import ConfigurationError
from domain.config.several import load_configuration
from domain.config.sign_in import SignIn
from tests.factories.config import CONFIG_TOML
from tests.factories.config_issues import sign_in_table
from tests.fakes.alb_signer import SIGNER


def sign_in(**changes: Any) -> SignIn:
    return SignIn.model_validate(sign_in_table(**changes))


ROLES = sign_in(
    viewers=["@example.com", "all-staff"],
    editors=["web-team", "kenji@partner.example"],
    approvers=["Ayumi@Example.com", "team@groups.example"],
)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "ayumi@example.com"}, "approver"),
        ({"email": "AYUMI@EXAMPLE.COM"}, "approver"),
        ({"email": "someone@example.com", "groups": ["web-team"]}, "editor"),
        ({"email": "someone@example.com", "groups": ["web-team", "team@groups.example"]}, "approver"),
        ({"email": "kenji@partner.example"}, "editor"),
        ({"email": "a-kenji@partner.example"}, None),
        ({"email": "someone@example.com"}, "viewer"),
        ({"email": "someone@sub.example.com"}, None),
        ({"email": "someone@example.com.evil.example"}, None),
        ({"email": "someone@notexample.com"}, None),
        ({"groups": "all-staff"}, "viewer"),
        ({"groups": "other, web-team"}, "editor"),
        ({"groups": ["WEB-TEAM", 3, None]}, None),
        ({"groups": {"web-team": True}}, None),
        ({"email": "ayumi@example.com", "email_verified": True}, "approver"),
        ({"email": "ayumi@example.com", "email_verified": "true"}, "approver"),
        ({"email": "ayumi@example.com", "email_verified": False}, None),
        ({"email": "ayumi@example.com", "email_verified": "false"}, None),
        ({"email": "ayumi@example.com", "email_verified": None}, None),
        ({"email": ["ayumi@example.com"]}, None),
        ({"name": "ayumi@example.com", "sub": "ayumi@example.com"}, None),
        ({}, None),
    ],
)
def test_the_highest_role_of_a_user(claims: dict[str, Any], role: str | None) -> None:
    assert ROLES.role_of(ROLES.read_claims(claims)) == role


def test_everyone_whom_the_provider_signs_in_with_a_star_and_groups_by_another_claim() -> None:
    settings = sign_in(viewers=["*"], editors=["ops"], groups_claim="cognito:groups")
    assert settings.role_of(settings.read_claims({"sub": "1"})) == "viewer"
    assert settings.role_of(settings.read_claims({"sub": "1", "cognito:groups": ["ops"]})) == "editor"
    assert settings.role_of(settings.read_claims({"sub": "1", "groups": ["ops"]})) == "viewer"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "佐藤 あゆみ", "preferred_username": "ayumi", "sub": "1"}, "佐藤 あゆみ"),
        ({"preferred_username": "ayumi", "email": "a@example.com"}, "ayumi"),
        ({"email": "a@example.com", "sub": "1"}, "a@example.com"),
        ({"sub": "1"}, "1"),
        ({"name": " a\r\nb\u202e ", "sub": "1"}, "ab"),
        ({"name": "x" * 1000}, "x" * 200),
        ({"name": 3}, ""),
    ],
)
def test_the_name_is_one_line(claims: dict[str, Any], name: str) -> None:
    assert ROLES.read_claims(claims).name == name


def test_what_is_derived_from_the_addresses() -> None:
    settings = sign_in(issuer="https://id.example.com/realm/", dashboard_url="https://dashboard.example.com/")
    assert settings.metadata_url == "https://id.example.com/realm/.well-known/openid-configuration"
    assert settings.redirect_uri == "https://dashboard.example.com/oauth2callback"
    assert sign_in(issuer="http://127.0.0.1:9000").issuer == "http://127.0.0.1:9000"


TABLE = f'[sign_in]\nmethod = "alb"\nload_balancer = "{SIGNER}"\nviewers = ["*"]\n'
ORDERS = CONFIG_TOML.replace("Photo service", "Orders")


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content, encoding="utf-8")
    return folder


def test_the_sign_in_of_one_migration_is_that_of_all(tmp_path: Path) -> None:
    configuration = load_configuration(write(tmp_path, a=CONFIG_TOML, b=ORDERS + TABLE))
    assert len({migration.sign_in for migration in configuration.migrations}) == 1
    assert configuration.sign_in and configuration.sign_in.load_balancer == SIGNER


def test_a_migration_with_another_sign_in_is_left_out(tmp_path: Path) -> None:
    other = ORDERS + TABLE.replace('"*"', '"@example.com"')
    configuration = load_configuration(write(tmp_path, a=CONFIG_TOML + TABLE, b=other))
    assert [migration.name for migration in configuration.migrations] == ["Photo service"]
    assert [(issue.key, issue.code) for error in configuration.errors for issue in error.issues] == [
        ("sign_in", "another_sign_in")
    ]


@pytest.mark.parametrize("mistake", ["[migration]\n", "timezon = 1\n", "[[[\n"])
def test_no_migration_is_served_without_the_sign_in_that_an_invalid_file_has(mistake: str, tmp_path: Path) -> None:
    files = write(tmp_path, a=CONFIG_TOML, b=mistake + ORDERS + TABLE)
    with pytest.raises(ConfigurationError):
        load_configuration(files)
    write(tmp_path, a=CONFIG_TOML + TABLE)
    assert load_configuration(files).sign_in


def test_another_mistake_leaves_the_others_running(tmp_path: Path) -> None:
    assert len(load_configuration(write(tmp_path, a=CONFIG_TOML, b="[[[")).migrations) == 1
