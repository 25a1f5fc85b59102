"""The list of commands in the general help, under headings."""

from typing import Any

import typer.core


class CommandGroups(typer.core.TyperGroup):
    """Lists commands under their `rich_help_panel`, the panels in the order of their first commands."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.commands[name]
            row = name.ljust(width), command.get_short_help_str(formatter.width - width)
            groups.setdefault(command.rich_help_panel, []).append(row)
        for heading, rows in groups.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
