"""The exit code of commands that pipelines depend on: invalid options and crashes must not look like a verdict."""

from collections.abc import Callable
from typing import Any

import typer
import typer.core

from domain.logs import print_exception
from services.evaluation import EXIT_UNAVAILABLE


class GateCommand(typer.core.TyperCommand):
    """A command whose usage errors exit with EXIT_UNAVAILABLE instead of 2 ("undecided"), and whose crashes do instead of 1 ("regression")."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _with_exit_code(super().make_context, *args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return _with_exit_code(super().invoke, *args, **kwargs)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:
            print_exception(type(error), error, error.__traceback__)
            raise typer.Exit(EXIT_UNAVAILABLE) from error


def _with_exit_code(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    except typer.TyperException as error:
        error.exit_code = EXIT_UNAVAILABLE
        raise
