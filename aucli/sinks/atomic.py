"""Files that appear whole or not at all: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from aucli.errors import AucliError, OutputError
from aucli.plain_json import json_bytes

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def atomic_file(path: Path, *, temporary_folder: Path | None = None) -> Iterator[BinaryIO]:
    """A binary file to write, which takes its final name when the block ends without an error.

    temporary_folder: where it lies until then, on the same file system; by default beside `path`.

    Raises:
        OutputError: it cannot be written (disk full, no permission, ...). Nothing is left of it, and
            what lay under `path` before is untouched.
    """
    temporary = (temporary_folder or path.parent) / f"{path.name}{TEMPORARY_SUFFIX}"
    try:
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except AucliError:
        raise  # of the block, about something else; some are also an OSError
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(path: Path, value: Any, *, temporary_folder: Path | None = None) -> None:
    """Write `value` as readable JSON, whole or not at all (see `atomic_file`).

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_file(path, temporary_folder=temporary_folder) as file:
        file.write(json_bytes(value, indent=1) + b"\n")


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise when writing `path` failed, with the way out."""
    if isinstance(error, OutputError):
        return error
    return OutputError(
        f"cannot write {path}: {error.strerror or error}; make room or choose another output: "
        "what is finished is kept, and the same command goes on from there"
    )
