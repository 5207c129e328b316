"""Where the output goes, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import UsageError
from aucli.sinks.metadata import read_metadata

_SUFFIX = ".parquet"


@dataclass(frozen=True)
class OutputPlace:
    """The output as named with -o: one Parquet file, or a folder with one file per video.

    path: `out.parquet`, or the folder. work: holds what is in progress; gone after a finished run.
    url: where `path` is the copy of an output that has an address.
    """

    path: Path
    single_file: bool
    url: str | None = None

    @property
    def location(self) -> Path | str:
        """What the user named: the path or the address."""
        return self.path if self.url is None else self.url

    @property
    def work(self) -> Path:
        if self.single_file:
            return self.path.with_name(f"{self.path.name}.parts")
        return self.path / ".parts"

    @property
    def report(self) -> Path:
        return self.path.with_suffix(".report.json") if self.single_file else self.path / "report.json"


def output_place(output: str | os.PathLike[str], inputs: Iterable[Path] = ()) -> OutputPlace:
    """Decide whether `output` is a file or a folder, and refuse what cannot or must not be written.

    An existing folder, a trailing slash, or no suffix means a folder; `.parquet` means one file.
    inputs: files and folders that are read, none of which may be the output. Creates nothing.

    Raises:
        UsageError: another suffix, no such parent folder, an input, an existing file that aucli did
            not write, or no permission.
    """
    given = os.fspath(output)
    path = Path(given)
    if not given:
        raise UsageError("the output has no name: give for instance -o out.parquet")
    single_file = path.suffix == _SUFFIX and not given.endswith(os.sep) and not path.is_dir()
    if not single_file and path.suffix and not given.endswith(os.sep) and not path.is_dir():
        raise UsageError(
            f"-o {given}: the output is Parquet; give -o {path.with_suffix(_SUFFIX)} for one file, "
            f"or -o {given}{os.sep} for a folder with one file per video"
        )
    if single_file and path.is_symlink():
        path = path.resolve()  # write where the link points, with the work folder on that disk
    if not path.parent.is_dir():
        raise UsageError(f"-o {given}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
    resolved = path.resolve()
    for source in inputs:
        if source.resolve() == resolved:
            raise UsageError(f"-o {given} is also an input: choose another output")
    if single_file:
        _check_existing(path)
    elif path.exists() and not path.is_dir():
        raise UsageError(f"-o {given} is a file: remove it, or give a folder or a name in {_SUFFIX}")
    folder = path if path.is_dir() else path.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"-o {given}: no permission to write in {folder}: choose another output")
    return OutputPlace(path, single_file)


def _check_existing(path: Path) -> None:
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        ours = path.is_file() and read_metadata(pq.read_schema(path)) is not None
    except (OSError, pa.ArrowInvalid):
        ours = False
    if not ours:
        raise UsageError(
            f"-o {path} exists and is not a Parquet file written by aucli: remove it or choose another name"
        )
