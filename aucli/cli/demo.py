"""`aucli demo`: the example clips of the package through the built-in model."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path

import typer

from aucli.config import ExtractConfig

_CLIPS = ("smile.mp4", "two_people.mp4")
_OUTPUT = Path("demo", "out.parquet")


def demo(context: typer.Context) -> None:
    """Run extract on the two example clips in the package; writes demo/out.parquet."""
    from aucli.cli.run import run_and_show  # imports pyarrow
    from aucli.zoo.catalogue import BUILTIN

    _OUTPUT.parent.mkdir(exist_ok=True)
    with as_file(files("aucli") / "examples") as folder:
        code = run_and_show(
            [folder / clip for clip in _CLIPS],
            _OUTPUT,
            ExtractConfig(model=BUILTIN),
            command_line=("aucli", *context.obj),
        )
    command, python = "aucli", "python"
    if shutil.which("aucli") is None:  # an environment that is not activated, as after `make demo`
        command, python = sys.argv[0], str(Path(sys.argv[0]).with_name("python"))
    print(
        f"""
Next, for instance:
  {command} extract path/to/videos -o out.parquet
  {command} extract talk.mp4 -o talk.parquet --start 1:30 --end 2:00 --primary longest
  {command} extract --help
  {python} -c "import pandas; print(pandas.read_parquet('{_OUTPUT}').describe())\""""
    )
    raise typer.Exit(code)
