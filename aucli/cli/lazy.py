"""A group of commands whose files are read when one of them is called, so that its help is instant."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

_Context = Any  # Typer's copy of Click is private, and has the classes of its contexts and commands
_Command = Any


class LazyGroup(TyperGroup):
    """A Typer group with the commands of `places` beside those registered.

    Reading all commands' files and options takes longer than everything else that help does; the names
    and first lines in `places` are all it needs. A command itself is read for its own help, for
    completion of its options and to run.
    """

    places: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Name -> `module:attribute` of a command's function, or of the Typer app of a group; its first line."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        for name, (_, line) in self.places.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: _Context, args: list[str]) -> tuple[str | None, _Command, list[str]]:
        """What Typer finds for the first of `args`, with its options."""
        name, command, others = super().resolve_command(ctx, args)
        if name is not None and name in self.places:
            command = self.commands[name] = read_command(name, self.places[name][0])
        return name, command, others


def read_command(name: str, place: str) -> _Command:
    """The command `name`, from `module:attribute`."""
    module, _, attribute = place.partition(":")
    app = found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
    command = typer.main.get_command(app)
    command.name = name
    return command
