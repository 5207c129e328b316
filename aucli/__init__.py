"""aucli: facial action units from video.

``import aucli`` is instant; the networks are imported by the first call.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aucli.inference.extract import ExtractResult

__all__ = ["__version__", "extract"]
__version__ = "0.1.0"  # equal to pyproject.toml's by a test; asking the installed metadata costs 20 ms


def extract(
    paths: str | Path | Iterable[str | Path],
    model: str | Path | None = None,
    output: str | Path | None = None,
    **options: Any,
) -> ExtractResult:
    """Action units of every face in every frame of the videos; `aucli extract` as a function.

    paths: files, folders, globs, lists; one or several.
    model: a name or the path of a file; None: what `aucli models use` chose, else `builtin`.
    output: the Parquet file to write, or None for a temporary one.
    options: those of the command, with underscores: ``every=2``, ``start="1:30"``, ``device="cuda:0"``.

    Returns:
        `.table`, a pyarrow Table with one row per frame and face; `.report`, one entry per input;
        `.output`, the Parquet file. A video that fails is in the report; it raises nothing.

    Raises:
        UsageError: an option that does not exist or is out of range, an unknown model, no input.
    """
    from aucli.config import read_settings
    from aucli.inference.configure import configure
    from aucli.inference.extract import run_extract

    settings = read_settings(
        {"model": model, **options}, lambda name, value: f"aucli.extract({name}={value!r})"
    )
    return run_extract(
        [paths] if isinstance(paths, str | Path) else list(paths),
        output,
        configure(settings),
        fresh=settings.get("fresh", False),
        fail_fast=settings.get("fail_fast", False),
        shard=settings.get("shard"),
        engine=settings.get("engine", "local"),
        scheduler=settings.get("scheduler"),
    )
