"""The help texts of the commands: what each does, its exit codes, examples."""

from textwrap import dedent, indent, wrap

from messages.i18n import _

LINE_CHARS = 70
USAGE_ERROR = _("An option is invalid.")


def command_help(summary: str, details: str = "", *, exit_codes: dict[int, str], examples: str) -> str:
    """`summary`: a sentence that fits the list of commands. `examples`: lines that are not wrapped.

    click wraps paragraphs, but for those that begin with a line of \\b.
    """
    codes: list[str] = []
    for code, meaning in exit_codes.items():
        first, *others = wrap(meaning, LINE_CHARS)
        codes += [f"  {code}  {first}", *(f"     {line}" for line in others)]
    blocks = [
        "\n".join(("\b", _("Exit codes:"), *codes)),
        f"\b\n{_('Examples:')}\n{indent(dedent(examples).strip(), '  ')}",
    ]
    return "\n\n".join(filter(None, (summary, details, *blocks)))
