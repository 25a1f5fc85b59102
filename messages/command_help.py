"""The help texts of the commands: what each does, its exit codes, examples."""

from collections.abc import Mapping
from textwrap import dedent, indent, wrap

from messages.i18n import LazyText, _, lazy

LINE_CHARS = 70
USAGE_ERROR = lazy("Invalid option.")


class HelpText(LazyText):
    """The help of a command: a summary that fits the list of commands, details, exit codes, and examples whose lines are not wrapped.

    click wraps paragraphs, but for those that begin with a line of \\b.
    """

    __slots__ = ("_details", "_examples", "_exit_codes")

    def __init__(
        self, summary: LazyText, details: LazyText | str = "", *, exit_codes: Mapping[int, LazyText], examples: str
    ) -> None:
        super().__init__(summary.message)
        self._details, self._exit_codes, self._examples = details, exit_codes, examples

    def __str__(self) -> str:
        codes: list[str] = []
        for code, meaning in self._exit_codes.items():
            first, *others = wrap(str(meaning), LINE_CHARS)
            codes += [f"  {code}  {first}", *(f"     {line}" for line in others)]
        blocks = [
            "\n".join(("\b", _("Exit codes:"), *codes)),
            f"\b\n{_('Examples:')}\n{indent(dedent(self._examples).strip(), '  ')}",
        ]
        return "\n\n".join(filter(None, (super().__str__(), str(self._details), *blocks)))


command_help = HelpText
