"""PyAV's FFmpeg libraries under the names that torchcodec looks for, for processes that are yet to start.

PyAV's wheel for Linux has the libraries in `av.libs`, with a hash in each name. The system's loader finds
them by their usual names in a folder of links, if `LD_LIBRARY_PATH` names it before a process starts; nothing
that a process does later has the same effect. Both packages then use one FFmpeg, so they read files alike.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def ffmpeg_for_torchcodec() -> dict[str, str]:
    """Variables for a process that is to use torchcodec: none where it, or PyAV's wheel, is not installed."""
    folders = _folders()
    if not folders:
        return {}
    before = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": os.pathsep.join([*folders, *([before] if before else [])])}


@cache
def _folders() -> tuple[str, ...]:
    found = find_spec("av")
    if sys.platform != "linux" or found is None or found.origin is None or find_spec("torchcodec") is None:
        return ()
    libraries = Path(found.origin).parents[1] / "av.libs"
    links = usual_names(libraries)
    if not links:
        return ()
    folder = Path(tempfile.mkdtemp(prefix="aucli-ffmpeg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, library in links.items():
        (folder / name).symlink_to(library)
    return str(folder), str(libraries)


def usual_names(libraries: Path) -> dict[str, Path]:
    """FFmpeg's libraries in a folder by their usual names: libavutil.so.60 of libavutil-5809ad29.so.60.26."""
    if not libraries.is_dir():
        return {}
    matches = (
        (re.fullmatch(r"(lib(?:av|sw)[a-z]+)-[0-9a-f]+(\.so\.\d+)[.\d]*", path.name), path)
        for path in sorted(libraries.iterdir())
    )
    return {match[1] + match[2]: path for match, path in matches if match}
