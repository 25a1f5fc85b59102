"""Refuses to start the server where it would serve more than it may: the sentence is logged, and the process ends with a status other than 0."""

from collections.abc import Callable, Mapping, Sequence

from domain.config.errors import ConfigurationError
from domain.config.several import Configuration
from domain.config.sign_in import SignIn
from messages import sign_in as text
from services.sign_in import cookie_secret_fault, has_client_secret, missing_packages
from ui.server.asgi import ASGIApp, Receive, Scope, Send
from ui.server.connections import is_reachable_from_outside

INSECURE_OPTION, INSECURE_VARIABLE = "--insecure", "INSECURE"


def is_insecure(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether the server may be open to other machines without sign-in: `streamlit run dashboard.py -- --insecure`."""
    return INSECURE_OPTION in arguments or environment.get(INSECURE_VARIABLE, "").strip() == "1"


def start_refusal(
    load: Callable[[], Configuration], environment: Mapping[str, str], *, is_open: bool, insecure: bool
) -> str:
    """Why the server must not start; "" if it may. `is_open`: whether other machines can connect. `load` may raise ConfigurationError."""
    try:
        configuration = load()
    except ConfigurationError as error:
        return f"{text.INVALID_CONFIGURATION} {error}" if is_open and not insecure else ""
    if configuration.sign_in:
        return _sign_in_refusal(configuration.sign_in, environment)
    return str(text.REFUSED_TO_START) if is_open and not insecure and not configuration.server.protected else ""


def _sign_in_refusal(sign_in: SignIn, environment: Mapping[str, str]) -> str:
    if missing_packages(sign_in):
        return str(text.NOT_INSTALLED)
    if sign_in.method == "alb":
        return ""
    if not has_client_secret(environment):
        return str(text.NO_CLIENT_SECRET)
    return str(text.SHORT_COOKIE_SECRET) if cookie_secret_fault(environment) == "short" else ""


class StartGuard:
    """The middleware, behind ServerSetup: nothing is opened if `refusal`, given whether other machines can connect, has a reason."""

    def __init__(self, app: ASGIApp, refusal: Callable[[bool], str]) -> None:
        self.app, self._refusal = app, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and (reason := self._refusal(is_reachable_from_outside())):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": reason})
            return
        await self.app(scope, receive, send)
