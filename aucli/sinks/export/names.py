"""Names of the files of an export: readable, below their folder, each once."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from aucli.media.names import cut_name

_BEHIND = 32  # bytes that may come behind a name: `.track12-2.csv.tmp` and the like
# `.mp4`, `.MOV`; not the end of "Dr. Miller", nor the window in `talk.mp4#90-120s`.
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")


def file_names(names: Sequence[tuple[str, str]], suffix: str) -> list[str]:
    """A relative path for each name, in order: `sub/talk.mp4` with suffix `.csv` is `sub/talk.csv`.

    names: of videos, with what comes behind the name (`.track2`, or nothing). Where two would be one file, as
    `talk.mp4` and `talk.mov`, they keep their suffixes: `talk.mp4.csv`; and where that is not enough they are
    numbered: `talk.mp4-2.csv`. Files count as one where a file system that ignores case or writes accents in
    another way would take them for one. Nothing leads out of the folder: `..` and a `/` in front are dropped.
    """
    safe = [(_inside(name), behind) for name, behind in names]
    short = [f"{_stem(path)}{behind}" for path, behind in safe]
    count = Counter(map(_key, short))
    wanted = [
        one if count[_key(one)] == 1 else f"{path}{behind}"
        for one, (path, behind) in zip(short, safe, strict=True)
    ]
    taken: set[str] = set()
    chosen = []
    for name in wanted:
        number, one = 1, name
        while _key(one) in taken:
            number += 1
            one = f"{name}-{number}"
        taken.add(_key(one))
        chosen.append(f"{one}{suffix}")
    return chosen


def _inside(name: str) -> PurePath:
    parts = [part for part in PurePath(name).parts if part != ".." and not part.startswith("/")]
    return PurePath(*[cut_name(part, _BEHIND) for part in parts]) if parts else PurePath("video")


def _stem(path: PurePath) -> PurePath:
    return path.with_suffix("") if _SUFFIX.fullmatch(path.suffix) else path


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
