"""Names of inputs: each source of a run has one that no other has."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from aucli.datatypes import Source, readable

LONGEST_NAME_BYTES = 255  # ext4, XFS, NTFS, APFS


@dataclass(frozen=True)
class Rejected:
    """An input that is no source; the run reports it with this reason, as failed or as skipped."""

    name: str
    path: Path
    reason: str
    status: Literal["failed", "skipped"] = "failed"


def name_below(path: Path, root: Path) -> str:
    """The path relative to its input root, with / between; the bare file name where it is not below."""
    # abspath, not resolve: a link keeps the name under which it was given.
    whole, base = PurePath(os.path.abspath(path)), PurePath(os.path.abspath(root))  # noqa: PTH100
    if whole != base and whole.is_relative_to(base):
        return whole.relative_to(base).as_posix()
    return whole.name


def cut_name(name: str, behind: int) -> str:
    """One name in a path, cut so that `behind` more bytes fit after it in what a file system takes."""
    encoded = os.fsencode(name)
    if len(encoded) + behind <= LONGEST_NAME_BYTES:
        return name
    return encoded[: LONGEST_NAME_BYTES - behind].decode("utf-8", "ignore")


def with_unique_names(entries: Sequence[Source | Rejected]) -> list[Source | Rejected]:
    """Give entries with the same name a longer part of their path; windows of one file get their times.

    Names come out `readable`.
    """
    # abspath, as above.
    whole = [PurePath(os.path.abspath(entry.path)) for entry in entries]  # noqa: PTH100
    names = [entry.name for entry in entries]
    while True:
        paths_by_name = defaultdict(set)
        for name, path in zip(names, whole, strict=True):
            paths_by_name[name].add(path)
        clashing = {name for name, paths in paths_by_name.items() if len(paths) > 1}
        if not clashing:
            break
        for place, path in enumerate(whole):
            if names[place] in clashing:
                depth = len(PurePath(names[place]).parts) + 1
                names[place] = PurePath(*path.parts[-depth:]).as_posix()
    _make_readable(names, whole)
    seen = Counter(names)
    return [
        dataclasses.replace(entry, name=name + (_window(entry) if seen[name] > 1 else ""))
        for entry, name in zip(entries, names, strict=True)
    ]


def _make_readable(names: list[str], whole: Sequence[PurePath]) -> None:
    """In place; a name that another file has already as it is written gets ~2, ~3, ... behind it."""
    taken = {name: path for name, path in zip(names, whole, strict=True) if name == readable(name)}
    for place, path in enumerate(whole):
        if names[place] == readable(names[place]):
            continue
        plain = name = readable(names[place])
        number = 1
        while taken.setdefault(name, path) != path:
            number += 1
            name = f"{plain}~{number}"
        names[place] = name


def _window(entry: Source | Rejected) -> str:
    if isinstance(entry, Rejected) or (entry.start_seconds is None and entry.end_seconds is None):
        return ""
    end = "" if entry.end_seconds is None else f"{entry.end_seconds:g}"
    return f"#{entry.start_seconds or 0.0:g}-{end}s"
