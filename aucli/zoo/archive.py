"""The authors' zip files of one checkpoint per fold, unpacked without believing anything they say."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from aucli.errors import CheckpointError
from aucli.zoo.store import cannot_write

# The largest released archive holds three Swin-B with their optimiser states: 3.4 GB.
MOST_BYTES = 8 * 2**30
MOST_MEMBERS = 100
# Trained weights shrink by a tenth or so; zeros, of which a size bomb is made, a thousandfold.
MOST_RATIO = 50
_RATIO_FROM_BYTES = 2**20  # small text files may shrink as they like
_PIECE = 2**20
_FOLD = re.compile(r"fold[ _-]?(\d+)", re.IGNORECASE)


def is_archive(path: Path) -> bool:
    """Whether the file is a zip of checkpoints, and not a checkpoint, which torch writes as a zip too."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(PurePosixPath(name).name == "data.pkl" for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return path.suffix.lower() == ".zip"


def fold_in(name: str) -> int | None:
    """The fold that a file's name claims: `MEFARG_resnet50_BP4D_fold1.pth` -> 1. The last one counts."""
    found = _FOLD.findall(name)
    return int(found[-1]) if found else None


def unpack(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Each checkpoint of the archive: its name there, and where it lies in `folder` until the next.

    No name of the archive is used for writing.

    Raises:
        CheckpointError: no or a damaged zip, no checkpoint in it, or one that only a forger would make:
            names that lead out of the folder, links, encryption, more bytes or members than fit.
        OutputError: the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise CheckpointError(f"{path}: refused, {len(members)} files in it; at most {MOST_MEMBERS}")
            for member in members:
                _refuse_odd(path, member)
            checkpoints = [member for member in members if _is_checkpoint(member.filename)]
            if not checkpoints:
                raise CheckpointError(f"{path}: there is no .pth file in this zip")
            room = MOST_BYTES
            for number, member in enumerate(checkpoints):
                target = folder / f"{number}.pth"
                try:
                    room -= _extract(archive, member, target, room, path)
                    yield member.filename, target
                finally:
                    target.unlink(missing_ok=True)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise CheckpointError(f"{path}: a damaged or unusual zip file ({error})") from error


def _is_checkpoint(name: str) -> bool:
    pure = PurePosixPath(name)
    # macOS adds a shadow file `__MACOSX/._NAME` to each NAME.
    return pure.suffix.lower() in {".pth", ".pt"} and not pure.name.startswith("._")


def _refuse_odd(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or re.match(r"[A-Za-z]:", member.filename):
        raise CheckpointError(f"{path}: refused, the name {member.filename!r} leads out of the archive")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CheckpointError(f"{path}: refused, {member.filename!r} is a link or a device")
    if member.flag_bits & 1:
        raise CheckpointError(f"{path}: refused, {member.filename!r} is encrypted")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: int, path: Path) -> int:
    """Write one member in pieces; what the zip says about sizes is checked, not used. Returns its bytes."""
    most = min(room, max(_RATIO_FROM_BYTES, MOST_RATIO * path.stat().st_size))
    written = 0
    try:
        file = target.open("wb")
    except OSError as error:
        raise cannot_write(target, error) from error
    with archive.open(member) as packed:
        try:
            with file:
                while piece := packed.read(_PIECE):
                    written += len(piece)
                    if written > most:
                        raise CheckpointError(
                            f"{path}: refused, {member.filename!r} unpacks to more than {most} bytes"
                        )
                    file.write(piece)
        except OSError as error:
            raise cannot_write(target, error) from error
    return written
