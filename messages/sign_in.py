"""Messages of the sign-in: why a page is not shown, who is signed in, and why the dashboard does not start."""

from collections.abc import Iterable

from messages.i18n import _, comma_list, lazy

TITLE = lazy("Sign in")
SIGN_OUT = lazy("Sign out")
REQUIRED_FOR_PROGRAMS = lazy(
    "Sign-in required. A browser signs in at the dashboard's pages; a program sends the token of the gate (docs/gate.md)."
)
SIGNED_OUT = lazy("You are signed out.")
FAILED = lazy(
    "The sign-in failed: the provider refused it, or its answer could not be verified. Try again; if it fails again, "
    "the log of the dashboard has the reason."
)
PROVIDER_DOWN = lazy("The sign-in provider cannot be reached. Try again in a minute.")
# Reasons of sources.aws.alb_identity.
FAULTS = {
    "missing": lazy(
        "The request did not come through the load balancer's sign-in. Open the dashboard at the address of the load "
        "balancer, whose rule must have an authenticate action (docs/sign_in.md)."
    ),
    "malformed": lazy("The header x-amzn-oidc-data is not a token. Reload the page to sign in again."),
    "algorithm": lazy("The token of the sign-in has another algorithm than ES256, which load balancers sign with."),
    "signer": lazy(
        "Another load balancer signed the token of the sign-in. Compare load_balancer under [sign_in] in migration.toml."
    ),
    "expired": lazy("The token of the sign-in has expired. Reload the page; if it fails again, compare the clocks."),
    "key": lazy(
        "The public key of the load balancer's sign-in is not available. The dashboard needs access to it "
        "(docs/sign_in.md); try again in a minute."
    ),
    "signature": lazy("The signature of the sign-in's token is invalid."),
}

ROLE_NAMES = {"viewer": lazy("viewer"), "editor": lazy("editor"), "approver": lazy("approver")}


def no_role(who: str) -> str:
    """`who`: the e-mail address or the name of who is signed in."""
    return _(
        "{who} is signed in, but in none of the lists under [sign_in] in migration.toml. Ask who runs this dashboard to "
        "add this address, its domain or one of its groups."
    ).format(who=who)


def needs_role(role: str) -> str:
    """Instead of a form."""
    return _("This needs the role “{role}”, which you do not have.").format(role=ROLE_NAMES[role])


def signed_in_as(name: str, role: str) -> str:
    return _("{name} · {role}").format(name=name, role=ROLE_NAMES[role])


def signer(name: str, migrations: Iterable[str]) -> str:
    """The load balancer of the sign-in, for doctor. `migrations`: those whose load balancer it is, too."""
    if names := comma_list(migrations):
        return _("load_balancer: {name}, also that of {migrations}").format(name=name, migrations=names)
    return _("load_balancer: {name}").format(name=name)


REFUSED_TO_START = lazy(
    "Not started: other machines could connect without sign-in and see everything. Configure [sign_in] in "
    "migration.toml (docs/sign_in.md), or protected = true under [server] if something in front restricts access, or "
    "listen on 127.0.0.1. To start anyway: --insecure, or INSECURE=1."
)
INVALID_CONFIGURATION = lazy(
    "Not started: the configuration is invalid, and may have had a sign-in. cli.py doctor explains how to correct it:"
)
NOT_INSTALLED = lazy(
    "Not started: [sign_in] is configured, but its packages are not installed: pip install --require-hashes -r "
    "requirements-auth.txt"
)
NO_CLIENT_SECRET = lazy(
    "Not started: [sign_in] needs the secret of the client in the environment variable SIGN_IN_CLIENT_SECRET."
)
SHORT_COOKIE_SECRET = lazy(
    "Not started: SIGN_IN_COOKIE_SECRET has fewer than 32 characters, so that sessions could be forged. Use a long "
    "random one: openssl rand -hex 32"
)
