"""From rows of a dataset to the crops that a network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.datasets.labelled import LabelledFaces
from aucli.datatypes import CropConvention
from aucli.errors import MediaError, UsageError
from aucli.media.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_SHARE_UNREADABLE = 0.01
_RESIZED, _KEPT = 256, 224  # of ready crops: the authors resize the shorter side to 256 and keep the middle


@dataclass
class Unreadable:
    """The pictures of a dataset that could not be read, over all calls of `read_crops` that share it.

    Their crops come out black. Leave these rows out of whatever is computed: `rows` names them.

    faces: how many the dataset has. reasons: one line for each row that could not be read.
    """

    faces: int
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> frozenset[int]:
        return frozenset(self.reasons)

    def add(self, row: int, reason: str) -> None:
        """Count a picture, once.

        Raises:
            UsageError: with this one more than 1 % of the faces cannot be read.
        """
        self.reasons[row] = reason
        if len(self.reasons) > LARGEST_SHARE_UNREADABLE * self.faces:
            raise UsageError(
                f"{len(self.reasons)} of {self.faces} pictures cannot be read, more than 1 %; "
                f"the last: {reason}; check the folder given as --root"
            )


def read_crops(
    faces: LabelledFaces,
    rows: Sequence[int],
    convention: CropConvention,
    *,
    size: int | None = None,
    unreadable: Unreadable | None = None,
    whole: bool = False,
) -> NDArray[np.uint8]:
    """Crops of some faces: uint8 (rows, size, size, 3), RGB.

    Where the dataset has points, they are cut out of the pictures by `aucli.faces.align`. Crops that
    `aucli prepare` made are brought from its convention to this one (see `recut`). Of other ready crops
    nobody knows the convention: their shorter side is resized and the middle taken, as the authors do; with
    `whole`, as those of MDHR do.

    size: pixels; the convention's own where it is not given.
    unreadable: takes up pictures that cannot be read, see `Unreadable`; without it they raise.

    Raises:
        MediaError: a picture cannot be read, and there is no `unreadable`.
        UsageError: too many of them cannot be read.
    """
    wanted = convention if size is None else CropConvention(size, convention.scale, convention.shift_y)
    crops = np.zeros((len(rows), wanted.size, wanted.size, 3), np.uint8)
    pictures: dict[int, NDArray[np.uint8]] = {}
    for place, row in enumerate(rows):
        try:
            pictures[place] = read_picture(faces.root / faces.paths[row])
        except MediaError as error:
            if unreadable is None:
                raise
            unreadable.add(int(row), str(error))
    if faces.points is not None:
        _align(crops, pictures, faces.points[np.asarray(rows, np.int64)], wanted)
        return crops
    for place, picture in pictures.items():
        crops[place] = (
            resize_and_centre(picture, wanted.size, whole=whole)
            if faces.crop is None
            else recut(picture, faces.crop, wanted)
        )
    return crops


def resize_and_centre(picture: NDArray[np.uint8], size: int, *, whole: bool = False) -> NDArray[np.uint8]:
    """The authors' test-time preprocessing: uint8 (height, width, 3) to (size, size, 3).

    The shorter side is resized to size * 256 / 224 (bilinear with antialiasing, by Pillow), then the middle
    is taken; for a size of 224 these are torchvision's Resize(256) and CenterCrop(224), bit for bit.

    whole: resize the shorter side to the size itself, as MDHR's authors do: Resize(224).
    """
    height, width = picture.shape[:2]
    shorter = size if whole else round(size * _RESIZED / _KEPT)
    if width <= height:
        new_width, new_height = shorter, int(shorter * height / width)
    else:
        new_width, new_height = int(shorter * width / height), shorter
    resized = Image.fromarray(picture).resize((new_width, new_height), Image.Resampling.BILINEAR)
    # Python's round takes halves to the even number, and so does torchvision's centre crop.
    left, top = round((new_width - size) / 2), round((new_height - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size)), np.uint8)


def recut(crop: NDArray[np.uint8], was: CropConvention, wanted: CropConvention) -> NDArray[np.uint8]:
    """A crop of one convention out of a crop of another: uint8 (size, size, 3) of the new size.

    Both put the same points upright, so it is a square of the old crop, resized (bilinear with
    antialiasing); what lies outside repeats the edge. From `PREPARED_CROP` to the default convention at
    224 pixels it is the middle of 224, untouched.

    Raises:
        UsageError: the crop does not have the size of its convention.
    """
    if crop.shape[:2] != (was.size, was.size):
        raise UsageError(
            f"a crop of {crop.shape[1]} x {crop.shape[0]} pixels where {was.size} x {was.size} were prepared"
        )
    # In parts of the side, template point t lies at (t - 1/2) * scale + 1/2 (+ shift_y downwards), where
    # whole numbers are centres of pixels; Pillow counts from their edges.
    ratio = was.scale / wanted.scale
    per_pixel = ratio * was.size / wanted.size
    left = was.size * (1 - ratio) / 2 + (1 - per_pixel) / 2
    top = left + was.size * (was.shift_y - wanted.shift_y * ratio)
    side = per_pixel * wanted.size
    box = tuple(round(edge, 6) for edge in (left, top, left + side, top + side))
    missing = max(0, math.ceil(max(-box[0], -box[1], box[2] - was.size, box[3] - was.size)))
    if missing:
        crop = np.pad(crop, ((missing, missing), (missing, missing), (0, 0)), mode="edge")
    shifted = (box[0] + missing, box[1] + missing, box[2] + missing, box[3] + missing)
    resized = Image.fromarray(crop).resize((wanted.size, wanted.size), Image.Resampling.BILINEAR, box=shifted)
    return np.asarray(resized, np.uint8)


def _align(
    crops: NDArray[np.uint8],
    pictures: dict[int, NDArray[np.uint8]],
    points: NDArray[np.float32],
    convention: CropConvention,
) -> None:
    """Cut faces out of pictures into their places in `crops`, pictures of one size together."""
    import torch

    from aucli.faces.align import crop_faces

    for places in _same_size(pictures):
        batch = torch.from_numpy(np.stack([pictures[place] for place in places]))
        cut = crop_faces(batch, np.arange(len(places)), points[places], convention)
        crops[places] = cut.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _same_size(pictures: dict[int, NDArray[np.uint8]]) -> Iterable[list[int]]:
    places: dict[tuple[int, ...], list[int]] = {}
    for place, picture in pictures.items():
        places.setdefault(picture.shape, []).append(place)
    return places.values()
