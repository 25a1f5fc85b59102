"""The exit code of commands that pipelines depend on: invalid options must not look like a verdict."""

from collections.abc import Callable
from typing import Any

import typer
import typer.core

from services.evaluation import EXIT_UNAVAILABLE


class GateCommand(typer.core.TyperCommand):
    """A command whose usage errors exit with EXIT_UNAVAILABLE instead of 2, which means "undecided"."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _with_exit_code(super().make_context, *args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        return _with_exit_code(super().invoke, *args, **kwargs)


def _with_exit_code(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    except typer.TyperException as error:
        error.exit_code = EXIT_UNAVAILABLE
        raise
