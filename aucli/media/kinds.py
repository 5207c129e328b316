"""What a file is taken for, by its name: video, picture or list; and the order of names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

# fmt: off
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts",
    ".mpg", ".mpeg", ".m2v", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".mxf", ".dv", ".gif",
    ".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc", ".y4m", ".ivf",
))
PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"))
# fmt: on
ANNOTATED_SUFFIXES = frozenset((".mp4", ".mov", ".mkv"))
LIST_SUFFIXES = frozenset({".txt", ".csv"})

ACCEPTED = (
    "a video (.mp4, .mov, .mkv, .webm, .avi, .ts, .mpg, .wmv, ...), a picture (.jpg, .png, ...), "
    "a folder, or a list (.txt, .csv)"
)


def is_video_name(name: str) -> bool:
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def is_annotated_name(name: str) -> bool:
    """Whether it is called as `annotate` calls what it writes: clip.annotated.mp4."""
    path = PurePath(name.lower())
    return path.suffix in ANNOTATED_SUFFIXES and PurePath(path.stem).suffix == ".annotated"


def is_picture_name(name: str) -> bool:
    return PurePath(name).suffix.lower() in PICTURE_SUFFIXES


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key by which clip2 comes before clip10; letters in any case are equal, then decided."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def numbered_pictures(names: Iterable[str]) -> list[str] | None:
    """The pictures among the names of a folder, in order, if together they are a filmed sequence.

    That is: at least two pictures, all with one suffix, and their names differ in the number at the end
    only (frame_0001.png, frame_0002.png). Otherwise None.
    """
    pictures: dict[int, str] = {}
    forms = set()
    for name in names:
        if not is_picture_name(name):
            continue
        match = re.fullmatch(r"(.*?)([0-9]+)", PurePath(name).stem)
        if match is None:
            return None
        forms.add((match[1], PurePath(name).suffix))
        pictures[int(match[2])] = name
    if len(forms) != 1 or len(pictures) < 2:
        return None
    return [pictures[number] for number in sorted(pictures)]
