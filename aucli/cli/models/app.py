"""`aucli models`: one file per command, named here; nothing heavy is imported until one runs."""

from __future__ import annotations

import typer

from aucli.cli.models.import_file import import_file
from aucli.cli.models.list import list_models
from aucli.cli.models.path import path
from aucli.cli.models.pull import pull
from aucli.cli.models.show import show
from aucli.cli.models.use import use
from aucli.cli.models.verify import verify

models = typer.Typer(help="Which models there are; install, check and choose them.", add_completion=False)
models.command("list")(list_models)
models.command()(show)
models.command()(pull)
models.command("import")(import_file)
models.command()(verify)
models.command()(use)
models.command()(path)


@models.callback(invoke_without_command=True)
def _before_any_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")
        raise typer.Exit(2)
