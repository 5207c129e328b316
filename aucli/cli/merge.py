"""`aucli merge`: its options, then one call of `aucli.sinks.merge`."""

from __future__ import annotations

from typing import Annotated

import typer

from aucli.cli.options import output_option
from aucli.errors import UsageError

_EXAMPLE = "for instance: aucli merge out.*.parquet -o all.parquet"


def merge(
    context: typer.Context,
    outputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="OUT", help="What each extract --shard I/N has written, all N, in any order."),
    ] = None,
    *,
    output: Annotated[
        str | None,
        output_option("Parquet file to write; a folder gets one file per video."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table; only what went wrong.")] = False,
) -> None:
    """The outputs of all shards as one, with the rows of a run on one machine.

    The exit code is that run's, too. The shards' outputs stay.
    """
    if not outputs:
        raise UsageError(f"no shard: name what each extract --shard has written, {_EXAMPLE}")
    if output is None:
        raise UsageError(f"no output: say with -o which Parquet file to write, {_EXAMPLE}")
    from aucli.cli.merge_run import merge_and_show  # imports pyarrow and rich

    raise typer.Exit(
        merge_and_show(outputs, output, command_line=("aucli", *context.obj), as_json=as_json, quiet=quiet)
    )
