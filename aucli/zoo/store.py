"""The cache folder: installed models, each a safetensors file and its card. Imports no torch."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from aucli.errors import CheckpointError, OutputError
from aucli.zoo.card import Card, read_card

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)
# Some network file systems have no locks; there two processes may do the same work twice.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class State(StrEnum):
    """What a checksum says about an installed model."""

    OK = "ok"
    MISSING = "missing"  # the weights file is not there
    CHANGED = "changed"  # it is not the file whose sha256 was recorded
    UNRECORDED = "unrecorded"  # the card has no sha256 to compare with


@dataclass(frozen=True)
class Entry:
    """A card and the file that holds its weights."""

    card: Card
    weights_path: Path


def cache_folder() -> Path:
    """`AUCLI_CACHE`, else the user's cache folder of the system; made when something is first written."""
    given = os.environ.get("AUCLI_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("aucli", appauthor=False)


def models_folder() -> Path:
    """Where installed models lie."""
    return cache_folder() / "models"


def downloads_folder() -> Path:
    """Where unfinished downloads and unpacked archives lie."""
    return cache_folder() / "downloads"


def installed() -> dict[str, Entry]:
    """The models in the cache by name. A card that cannot be read is left out, with a warning."""
    found = {}
    for path in sorted(models_folder().glob("*.json")):
        try:
            card = read_card(path)
        except (CheckpointError, OSError) as error:
            _LOG.warning("left out: %s", error)
            continue
        found[card.name] = Entry(card, path.parent / Path(card.weights).name)
    return found


def install(card: Card, tensors: Mapping[str, Tensor], recorded: Mapping[str, str]) -> Entry:
    """Write the tensors and the card, with its sha256 and what was `recorded`, into the cache.

    A model of that name is replaced; both files appear whole or not at all, the card last. Tensors
    must be contiguous and share no memory.

    Raises:
        OutputError: it cannot be written; nothing is left of it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder = models_folder()
    weights = folder / f"{card.name}.safetensors"
    with lock(f"install-{card.name}"):
        try:
            with temporary_file(weights) as temporary:
                save_file(dict(tensors), temporary)
                digest = sha256_of(temporary)
        except SafetensorError as error:  # its writer wraps the system's errors in this
            raise OutputError(f"cannot write {weights}: {error}; {_WAY_OUT}") from error
        made = replace(card, weights=weights.name, sha256=digest, recorded=dict(recorded))
        with temporary_file(folder / f"{card.name}.json") as temporary:
            temporary.write_text(
                json.dumps(made.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
                encoding="utf-8",
            )
    return Entry(made, weights)


def verify(entry: Entry) -> State:
    """Compare the weights with the sha256 on the card. Reads the whole file."""
    if not entry.weights_path.is_file():
        return State.MISSING
    if entry.card.sha256 is None:
        return State.UNRECORDED
    return State.OK if sha256_of(entry.weights_path) == entry.card.sha256 else State.CHANGED


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal; read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_WAY_OUT = "make room, or choose another folder: AUCLI_CACHE for models, AUCLI_CONFIG_FOLDER for settings"


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise when the cache cannot be written, with the way out."""
    return OutputError(f"cannot write {path}: {error.strerror or error}; {_WAY_OUT}")


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """A name to write under, beside `path`; becomes `path` when the block ends without an error.

    Raises:
        OutputError: it cannot be written. Nothing is left of it, and what lay under `path` is untouched.
    """
    temporary = path.with_name(f"{path.name}.tmp")  # one name, so that what a kill leaves is overwritten
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise (error if isinstance(error, OutputError) else cannot_write(path, error)) from error


@contextlib.contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """An empty folder of that name on the cache's disk, for this process alone; goes when the block ends.

    What a killed process left in it goes first.

    Raises:
        OutputError: it cannot be made.
    """
    folder = downloads_folder() / name
    with lock(name):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Wait until no other process holds the lock of that name in the cache, and hold it.

    The system drops it when the process ends, however it ends.

    Raises:
        OutputError: the cache cannot be written.
    """
    path = cache_folder() / "locks" / f"{name}.lock"
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
        except OSError as error:
            raise cannot_write(path, error) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                break
        file.close()  # this was the file of a process that has finished and removed it
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
