"""Where the videos of a run lie now, and whether they are still those that were analysed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aucli.datatypes import Source
from aucli.errors import MediaError
from aucli.media.kinds import is_video_name
from aucli.sinks.identity import content_identity, input_identity

SourceState = Literal["ok", "changed", "missing", "not_a_video"]


@dataclass(frozen=True)
class FoundSource:
    """The file behind the rows of a video.

    state: `ok`: there, with the content that was analysed; `changed`: a file of that name with other
        content; `missing`; `not_a_video`: a picture, a folder of pictures or something else.
    path: None where there is nothing to play. looked_at: where it was looked for.
    """

    state: SourceState
    path: Path | None
    looked_at: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Picture:
    """What the page has to know of a video file to show it.

    width, height: of the displayed picture, in which boxes lie. start_seconds: time stamp of the first frame.
    """

    width: int
    height: int
    start_seconds: float
    codec: str
    container: str


def find_source(
    name: str, recorded: str | None, identity: Mapping[str, Any], folders: Sequence[Path]
) -> FoundSource:
    """Look for the file with the content that was analysed.

    name: of the video in the output. recorded: path under which the report names it; None without one.
    identity: of its content. folders: where to look first.
    """
    candidates = list(dict.fromkeys(_candidates(name, recorded, folders)))
    other: Path | None = None
    seen_other_kind = False
    for path in candidates:
        try:
            if not path.is_file() or not is_video_name(path.name):
                seen_other_kind |= path.exists()
                continue
            same = content_identity(input_identity(path)) == dict(identity)
        except OSError:  # cannot be read: as if it were not there
            continue
        if same:
            return FoundSource("ok", path)
        other = other or path
    if other is not None:
        return FoundSource("changed", other)
    state: SourceState = "not_a_video" if seen_other_kind else "missing"
    return FoundSource(state, None, tuple(candidates))


def _candidates(name: str, recorded: str | None, folders: Sequence[Path]) -> Iterator[Path]:
    below = Path(name)
    relative = not below.is_absolute() and ".." not in below.parts
    for folder in folders:
        if relative:
            yield folder / below
        yield folder / below.name
        if recorded is not None:
            yield folder / Path(recorded).name
    if recorded is not None:
        yield Path(recorded)


def describe_picture(path: Path) -> Picture:
    """What the header of a video says.

    Raises:
        MediaError: it cannot be opened as a video.
    """
    from aucli.media.probe import probe

    found = probe(Source(path, path.name))
    if found.width <= 0 or found.height <= 0:
        raise MediaError(f"{path}: its pictures have no size")
    return Picture(found.width, found.height, found.start_seconds or 0.0, found.codec, found.container)
