"""From what was typed to the videos of a run: files, folders, globs, image folders, pictures, lists.

Rules, beside those of `discover`:

- In folders (recursive) files are taken by their suffix. Pictures beside videos are left out: they
  are posters and thumbnails. In a folder without videos each picture is a source of its own, unless
  they are numbered: then the folder is one source, a filmed sequence.
- Hidden files, `*.parts` folders (unfinished output) and other suffixes in folders are left out.
- So is what `annotate` has written, by its name, `*.annotated.mp4` (.mov, .mkv): drawn faces are no input. It
  may be somebody's own, so it is reported as skipped. A file named itself, here or in a list, is taken.
- Links are followed; a link back to a folder above is not.
- Nothing is opened here: a file that turns out to be no video fails later, with its reason.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from aucli.datatypes import Source
from aucli.errors import InputNotFoundError, UsageError
from aucli.media.kinds import (
    ACCEPTED,
    LIST_SUFFIXES,
    is_annotated_name,
    is_picture_name,
    is_video_name,
    natural_key,
    numbered_pictures,
)
from aucli.media.lists import ListRow, read_list
from aucli.media.names import Rejected, name_below, with_unique_names
from aucli.media.remote import is_remote, remote_entries, without_file_scheme

_ANNOTATED = "has the name of a video that annotate has drawn on; if it is none, give it by its own name"
_LEADS_NOWHERE = "is a link that leads to no file"

Entry = Source | Rejected
FolderId = tuple[int, int]  # device and inode: the same folder under any name


@dataclass(frozen=True)
class Discovery:
    """What a run works on, in a stable order, and what it was given but cannot work on."""

    sources: tuple[Source, ...]
    rejected: tuple[Rejected, ...]


def discover(inputs: Sequence[str | Path]) -> Discovery:
    """Find all sources behind the inputs: in their order, naturally sorted inside folders, each once.

    Args:
        inputs: videos, pictures, folders, globs (`**` crosses folders), list.txt, list.csv; also by address,
            see `remote`.

    Raises:
        InputNotFoundError: a path that does not exist, a glob without a match, a folder without a
            video or picture.
        UsageError: no input, or a list that cannot be understood, with the line's number.
    """
    if not inputs:
        raise UsageError(f"no input: give {ACCEPTED}")
    entries = [entry for given in inputs for entry in _entries_of(os.fspath(given))]
    named = with_unique_names(_each_once(entries))
    return Discovery(
        tuple(entry for entry in named if isinstance(entry, Source)),
        tuple(entry for entry in named if isinstance(entry, Rejected)),
    )


def _entries_of(given: str, list_folder: Path | None = None) -> list[Entry]:
    """All entries behind one input; inside a list, paths and names are relative to the list's folder."""
    if not given.strip():
        raise UsageError(f"an empty path: give {ACCEPTED}; a dot means this folder")
    if is_remote(given):
        return remote_entries(given)
    given = without_file_scheme(given)
    # os.path: Path.expanduser raises on a file whose name begins with a tilde.
    path = (list_folder or Path()) / os.path.expanduser(given)  # noqa: PTH111
    found = _stat(path)
    if found is None:
        if os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises below a closed folder
            raise InputNotFoundError(f"{path} {_LEADS_NOWHERE}: give the file itself")
        if not _has_wildcard(given):
            raise InputNotFoundError(
                f"{path} does not exist: check the path, or quote a glob, 'folder/**/*.mp4'"
            )
        entries = list(_glob_entries(path, list_folder))
        if not entries:
            raise InputNotFoundError(
                f"{path} matches no video or picture: check it with ls, or give the folder"
            )
        return entries
    if stat.S_ISDIR(found.st_mode):
        root = list_folder if list_folder and path.is_relative_to(list_folder) else path
        entries = list(_folder_entries(path, root, ()))
        if not entries:
            raise InputNotFoundError(f"the folder {path} holds no video and no picture: give {ACCEPTED}")
        return entries
    name = name_below(path, list_folder or path.parent)
    if path.suffix.lower() in LIST_SUFFIXES:
        if list_folder is not None:
            raise UsageError(f"{path} is a list inside a list: give it as an input of its own")
        return [entry for row in read_list(path) for entry in _row_entries(path, row)]
    return [_file_entry(path, name, found)]


def _row_entries(list_path: Path, row: ListRow) -> list[Entry]:
    try:
        entries = _entries_of(row.path, list_path.parent)
    except UsageError as error:
        raise type(error)(f"{list_path}, line {row.line}: {error}") from error
    return [
        dataclasses.replace(
            entry, subject=row.subject, start_seconds=row.start_seconds, end_seconds=row.end_seconds
        )
        if isinstance(entry, Source)
        else entry
        for entry in entries
    ]


def _found_entry(path: Path, name: str, found: os.stat_result) -> Entry:
    """The entry of a file that nobody named: it lies in a folder, or a glob matches it."""
    if is_annotated_name(path.name) and stat.S_ISREG(found.st_mode):
        return Rejected(name, path, _ANNOTATED, "skipped")
    return _file_entry(path, name, found)


def _file_entry(path: Path, name: str, found: os.stat_result) -> Entry:
    if not stat.S_ISREG(found.st_mode):
        # Opening a named pipe or a device would wait for ever.
        return Rejected(name, path, "is not a regular file")
    if is_video_name(path.name):
        return Source(path, name)
    if is_picture_name(path.name):
        return Source(path, name, "image")
    suffix = f"{path.suffix!r} is the name" if path.suffix else "a name without a suffix is the name"
    return Rejected(name, path, f"{suffix} of no kind that is read: give {ACCEPTED}")


def _folder_entries(folder: Path, root: Path, above: tuple[FolderId, ...]) -> Iterator[Entry]:
    """Entries of a folder and the folders below; `above` are the folders it was reached through."""
    name = name_below(folder, root) or str(folder)
    try:
        found = folder.stat()
        identity = (found.st_dev, found.st_ino)
        if identity in above:
            return
        names = _visible_names(folder)
    except OSError as error:
        yield Rejected(name, folder, f"the folder cannot be read: {error.strerror}")
        return
    stats = {child: _stat(folder / child) for child in names}
    folders = {child for child, status in stats.items() if status and stat.S_ISDIR(status.st_mode)}
    files = [child for child in names if child not in folders]
    has_video = any(is_video_name(child) for child in files)
    if not folders and not has_video and numbered_pictures(files):
        yield Source(folder, name, "image_folder")
        return
    if is_video_name(folder.name):
        yield Rejected(name, folder, "is a folder, not a video file, in spite of its name")
        return
    for child in names:
        path = folder / child
        if child in folders:
            yield from _folder_entries(path, root, (*above, identity))
        elif is_video_name(child) or (is_picture_name(child) and not has_video):
            status = stats[child]
            if status is None:
                yield Rejected(name_below(path, root), path, _LEADS_NOWHERE)
            else:
                yield _found_entry(path, name_below(path, root), status)


def _glob_entries(pattern: Path, list_folder: Path | None) -> Iterator[Entry]:
    """Entries of all matches, as if each stood in a folder: other suffixes are left out."""
    parts = pattern.parts
    # A folder may have a bracket in its name: what exists as it is written is no pattern.
    fixed = next(
        (place for place in range(len(parts)) if _stat(Path(*parts[: place + 1])) is None), len(parts) - 1
    )
    start = Path(*parts[:fixed])
    root = list_folder if list_folder and start.is_relative_to(list_folder) else start
    for path in _matches(start, parts[fixed:], ()):
        found = _stat(path)
        if found is None:
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _folder_entries(path, root, ())
        elif is_video_name(path.name) or is_picture_name(path.name):
            yield _found_entry(path, name_below(path, root), found)


def _matches(folder: Path, parts: Sequence[str], above: tuple[FolderId, ...]) -> Iterator[Path]:
    """Paths that match, naturally sorted. Not glob.glob: two link loops keep that busy for ever."""
    if not parts:
        yield folder
        return
    found = _stat(folder)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return
    part, rest = parts[0], parts[1:]
    if part == "**" and not rest:
        yield folder
        return
    try:
        names = _visible_names(folder)
    except OSError:
        return  # an unreadable folder matches nothing, as in the shell
    if part == "**":
        identity = (found.st_dev, found.st_ino)
        if identity in above:
            return
        yield from _matches(folder, rest, ())
        for name in names:
            yield from _matches(folder / name, parts, (*above, identity))
    elif not _has_wildcard(part):
        yield from _matches(folder / part, rest, ())
    else:
        for name in names:
            if fnmatchcase(name, part):
                yield from _matches(folder / name, rest, ())


def _each_once(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out what was given before. One file with several windows of time is several sources."""
    kept: dict[tuple[str, float | None, float | None], Entry] = {}
    for entry in entries:
        if isinstance(entry, Rejected):
            kept.setdefault((_real(entry.path), None, None), entry)
            continue
        where = _real(entry.path) if entry.remote is None else entry.remote.url
        key = (where, entry.start_seconds, entry.end_seconds)
        before = kept.get(key)
        if not isinstance(before, Source):
            kept[key] = entry
        elif before.subject is None:
            kept[key] = dataclasses.replace(before, subject=entry.subject)
        elif entry.subject not in (None, before.subject):
            raise UsageError(
                f"{entry.location} is given twice, with the subjects {before.subject!r} and "
                f"{entry.subject!r}: keep one of the two lines"
            )
    return list(kept.values())


def _visible_names(folder: Path) -> list[str]:
    """Names in a folder, naturally sorted, without hidden ones and unfinished output."""
    names = [name for name in os.listdir(folder) if not name.startswith(".") and not name.endswith(".parts")]  # noqa: PTH208
    return sorted(names, key=natural_key)


def _real(path: Path) -> str:
    # Not Path.resolve, which raises on a link to itself.
    return os.path.realpath(path)


def _stat(path: Path) -> os.stat_result | None:
    """What stands at the path, links followed; None if nothing, or if it cannot be reached."""
    try:
        return path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def _has_wildcard(text: str) -> bool:
    return any(sign in text for sign in "*?[")
