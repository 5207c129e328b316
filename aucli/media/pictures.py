"""Pictures: read one upright, or those of an animated WebP; list the numbered ones of a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from aucli.errors import MediaError
from aucli.media.display import Orientation
from aucli.media.kinds import numbered_pictures

# What Pillow raises for damaged files: not only its own errors, also those of its parsers.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)

# EXIF 2.32, tag Orientation: how the stored picture has to be turned.
EXIF_ORIENTATIONS = {
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, flip_x=True),
    7: Orientation(transposed=True, flip_x=True, flip_y=True),
    8: Orientation(transposed=True, flip_y=True),
}


@dataclass(frozen=True)
class PictureHeader:
    """What a picture file says of itself; sizes are upright."""

    codec: str
    pixel_format: str
    width: int
    height: int
    orientation: Orientation
    pictures: int = 1  # in the file

    @property
    def is_animation(self) -> bool:
        """Whether its pictures are shown one after the other, at times that can be read exactly."""
        return self.pictures > 1 and self.codec == "webp"


def folder_pictures(folder: Path) -> list[Path]:
    """The numbered pictures of an image folder in their order.

    Raises:
        MediaError: not a readable folder, or its pictures are not numbered (any more).
    """
    try:
        names = numbered_pictures(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if names is None:
        raise MediaError(f"{folder}: is no folder of numbered pictures (frame_0001.png, frame_0002.png, ...)")
    return [folder / name for name in names]


def describe_picture(path: Path) -> PictureHeader:
    """Read a picture's header.

    Raises:
        MediaError: not a picture that can be read.
    """
    _check_file(path)
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1)
            orientation = EXIF_ORIENTATIONS.get(turned, Orientation())
            width, height = picture.size[::-1] if orientation.transposed else picture.size
            codec = (picture.format or "unknown").lower()
            # A JPEG may have a second picture for those with 3D glasses, or of how far away things are.
            pictures = 1 if codec in ("jpeg", "mpo") else int(getattr(picture, "n_frames", 1))
            return PictureHeader(codec, picture.mode, width, height, orientation, pictures)
    except UNREADABLE as error:
        _refuse(path, error)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read one picture as uint8 (height, width, 3), RGB, upright; of an animation the first.

    Transparency is dropped; 16-bit gray is scaled to 8 bits.

    Raises:
        MediaError: not a picture that can be read to its end.
    """
    _check_file(path)
    try:
        with Image.open(path) as opened:
            picture: Image.Image = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I;16"):
                # Pillow's own conversion cuts values above 255 off.
                gray = np.asarray(picture, np.uint16) / 257
                return np.repeat(gray.round().astype(np.uint8)[:, :, None], 3, axis=2)
            return np.array(picture.convert("RGB"), np.uint8)
    except UNREADABLE as error:
        _refuse(path, error)


def read_animation(path: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures of an animated WebP: when each is shown, in ms, and uint8 (height, width, 3), RGB.

    Transparency is dropped; rotation (EXIF) is not stored for animations.

    Raises:
        MediaError: not a picture, or one of its pictures cannot be read.
    """
    _check_file(path)
    try:
        with Image.open(path) as picture:
            shown_at = 0
            for number in range(int(getattr(picture, "n_frames", 1))):
                picture.seek(number)
                pixels = np.array(picture.convert("RGB"), np.uint8)
                yield shown_at, pixels
                # 0 is allowed and left to the reader; two pictures must not have one time.
                shown_at += max(1, int(picture.info["duration"]))
    except UNREADABLE as error:
        _refuse(path, error)


def _check_file(path: Path) -> None:
    """Opening a named pipe would wait for ever."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return  # the attempt to open it says why
    if not regular:
        raise MediaError(f"{path}: is not a regular file")


def _refuse(path: Path, error: Exception) -> NoReturn:
    try:
        empty = path.stat().st_size == 0
    except OSError:
        empty = False
    reason = "is empty (0 bytes)" if empty else f"cannot be read as a picture ({error})"
    raise MediaError(f"{path}: {reason}") from error
