"""The texts of the sign-in's problems, which `doctor` finds: title, what happened, and the next step. Placeholders as in source_texts.py."""

from messages.errors.source_texts import Texts
from messages.i18n import _, lazy
from sources.base import Problem, ProblemKind

TEXTS: dict[ProblemKind, Texts] = {
    "no_secret": (
        lazy("Secret missing"),
        lazy("The environment variable {about} is not set: the dashboard does not start."),
        lazy("Set {about} to the secret of the client at the provider, where the dashboard runs and where this command runs ({page})."),
    ),
    "timeout": (
        lazy("Timeout"),
        lazy("No complete response from {about} in time: users cannot sign in."),
        lazy("Check proxy, firewall and DNS of this host. If they allow the connection, ask who operates that server."),
    ),
    "unreachable": (
        lazy("Unreachable"),
        lazy("Cannot connect to {about}: users cannot sign in."),
        lazy("Compare {key}, and check the network, DNS and proxy of this host."),
    ),
    "not_found": (
        lazy("Not found"),
        lazy("Not found: {about}. Users cannot sign in."),
        lazy("Correct {key} ({page})."),
    ),
    "denied": (
        lazy("Access denied"),
        lazy("Access to {about} was denied, though it must be public."),
        lazy("Correct {key}, or look for a proxy or firewall that responds in its place."),
    ),
    "throttled": (
        lazy("Throttled"),
        lazy("Too many requests to {about}."),
        lazy("Try again in a minute. If it persists, look for other clients behind the same address."),
    ),
    "server_error": (
        lazy("Server error"),
        lazy("Server error of {about}: users cannot sign in."),
        lazy("Try again in a minute. If it persists, ask who operates that server."),
    ),
    "bad_reply": (
        lazy("Invalid response"),
        lazy("The response of {about} is not a JSON object."),
        lazy("Correct {key}. A proxy, or a page that asks to sign in, also responds like this."),
    ),
    "incomplete": (
        lazy("Metadata incomplete"),
        lazy("The provider's metadata has no valid `{about}`, which must be an `https://` address."),
        lazy("Check that `issuer` under [sign_in] is the one of an OpenID provider, not of an OAuth server without OpenID Connect."),
    ),
}  # fmt: skip
SPECIAL_TEXTS: dict[str, Texts] = {
    "missing_cookie_secret": (
        lazy("Secret missing"),
        lazy("The environment variable {about} is not set: all sessions end when the dashboard restarts."),
        lazy("Set it where the dashboard runs: `openssl rand -hex 32` prints one."),
    ),
    "short_cookie_secret": (
        lazy("Secret too short"),
        lazy("The environment variable {about} has fewer than 32 characters: the dashboard does not start."),
        lazy("Set it to a long random value: `openssl rand -hex 32` prints one."),
    ),
    "sign_in_redirect": (
        lazy("Redirect"),
        lazy("A redirect from {about} to {target}: the sign-in does not follow redirects."),
        lazy("Correct {key}. A proxy, or a page that asks to sign in, also responds like this."),
    ),
    "another_issuer": (
        lazy("Another issuer"),
        lazy("The provider at {about} names {issuer} as its issuer: sign-ins would be refused."),
        lazy("Set `issuer` under [sign_in] to exactly what the provider names, if that is the right one. Microsoft Entra: the issuer of one tenant ({page})."),
    ),
    "no_signing_key": (
        lazy("No signing key"),
        lazy("No public key that verifies signatures at {about}: users cannot sign in."),
        lazy("Have the provider sign ID tokens with an asymmetric key (RS256 or ES256) and publish it there."),
    ),
}  # fmt: skip


def special_case(problem: Problem, detail: str) -> tuple[str, dict[str, str]] | None:
    """The key in SPECIAL_TEXTS and its values, if `detail` is a value of the message instead of a text to quote."""
    match problem:
        case Problem("no_secret", "sign_in", detail="missing" | "short"):
            return f"{detail}_cookie_secret", {}
        case Problem("bad_reply", "sign_in", "issuer"):
            return "another_issuer", {"issuer": detail or _("none at all")}
        case Problem("bad_reply", "sign_in") if detail.startswith("redirect to "):
            return "sign_in_redirect", {"target": detail.removeprefix("redirect to ")}
        case Problem("not_found", "sign_in", detail="no key"):
            return "no_signing_key", {}
    return None


def key(problem: Problem) -> str:
    """The setting that is probably wrong."""
    if problem.operation == "GET jwks_uri":
        return _("`jwks_uri` in the provider's metadata")
    if problem.operation == "GET public key":
        return _("`load_balancer` and `public_keys_url` under [sign_in]")
    return _("`issuer` under [sign_in]")
