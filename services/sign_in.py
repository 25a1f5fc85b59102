"""What the sign-in needs: packages, secrets, servers and roles, for the start of the dashboard and for `doctor`."""

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Literal

from domain import Configuration
from domain.config.sign_in import CLIENT_SECRET, COOKIE_SECRET, MIN_COOKIE_SECRET_CHARS, SignIn
from messages import sign_in as text
from sources.base import Health, Problem, check_result
from sources.sign_in import SOURCE, check_provider, check_public_keys

PACKAGES = {"oidc": ("authlib", "httpx"), "alb": ("cryptography",)}
REQUIREMENTS = "requirements-auth.txt"
SECTION = "[sign_in]"


def missing_packages(sign_in: SignIn) -> tuple[str, ...]:
    return tuple(package for package in PACKAGES[sign_in.method] if not importlib.util.find_spec(package))


def has_client_secret(environment: Mapping[str, str]) -> bool:
    return bool(environment.get(CLIENT_SECRET, "").strip())


def cookie_secret_fault(environment: Mapping[str, str]) -> Literal["missing", "short"] | None:
    """The dashboard does not start with a short one; without one, it takes another at each start."""
    secret = environment.get(COOKIE_SECRET, "").strip()
    if not secret:
        return "missing"
    return "short" if len(secret) < MIN_COOKIE_SECRET_CHARS else None


def sign_in_checks(configuration: Configuration, environment: Mapping[str, str]) -> tuple[Health, ...]:
    """The checks of the process's one sign-in; none without."""
    sign_in = configuration.sign_in
    if sign_in is None:
        return ()
    checks = [_check_packages(sign_in)]
    if sign_in.method == "oidc":
        checks += [*_check_secrets(environment), *check_provider(sign_in, environment)]
    else:
        checks += [_check_signer(sign_in, configuration), check_public_keys(sign_in)]
    return *checks, _check_approvers(sign_in)


def _check_packages(sign_in: SignIn) -> Health:
    missing = ", ".join(missing_packages(sign_in))
    problems = [Problem("not_installed", SOURCE, REQUIREMENTS, missing)] if missing else []
    return check_result(SOURCE, SECTION, 0.0, problems, subject=REQUIREMENTS)


def _check_secrets(environment: Mapping[str, str]) -> Iterator[Health]:
    """By their names: no value is read further than its length."""
    problem = Problem("no_secret", SOURCE, CLIENT_SECRET, CLIENT_SECRET)
    yield check_result(
        SOURCE, SECTION, 0.0, () if has_client_secret(environment) else (problem,), subject=CLIENT_SECRET
    )
    fault = cookie_secret_fault(environment)
    problem = Problem("no_secret", SOURCE, COOKIE_SECRET, COOKIE_SECRET, fault or "")
    yield Health(
        SOURCE, SECTION, "failed" if fault == "short" else "up", 0.0, problem if fault else None, COOKIE_SECRET
    )


def _check_signer(sign_in: SignIn, configuration: Configuration) -> Health:
    """The configuration accepts only the ARN of an Application Load Balancer."""
    signer = sign_in.load_balancer
    migrations = (item.name for item in configuration.migrations if item.aws and item.aws.load_balancer == signer)
    return Health(SOURCE, SECTION, "up", 0.0, None, text.signer(sign_in.signer.name, migrations))


def _check_approvers(sign_in: SignIn) -> Health:
    problem = None if sign_in.approvers else Problem("no_approver", SOURCE, SECTION)
    return Health(SOURCE, SECTION, "up", 0.0, problem, "approvers")
