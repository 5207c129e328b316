"""One run per output: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import BinaryIO

from aucli.errors import OutputError
from aucli.sinks.atomic import cannot_write

LOCK_NAME = "lock"
# Some network file systems have no locks; there the user has to see to it.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


def lock_folder(folder: Path, output: Path) -> BinaryIO:
    """Make `folder` and take its lock until the returned file is closed; children do not inherit it.

    Raises:
        OutputError: another run has it (its process is named), or the folder cannot be made.
    """
    path = folder / LOCK_NAME
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b", buffering=0)
        except FileNotFoundError:
            continue  # a run that just finished removed the folder in between
        except OSError as error:
            raise cannot_write(folder, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().decode() or "unknown"
            file.close()
            raise OutputError(
                f"{output} is being written by another run ({owner}): "
                "wait for it, stop it, or choose another output"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                file.close()
                raise cannot_write(path, error) from error
        if _still_there(path, file):
            try:
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            except OSError as error:  # no room for even that
                file.close()
                raise cannot_write(path, error) from error
            return file
        file.close()  # locked a file that a finishing run has removed since it was opened


def _still_there(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
