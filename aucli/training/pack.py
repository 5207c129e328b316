"""Every crop of a part cut out once, in one file that is read in place: decoding never waits for again.

`NAME.u8` has the crops, uint8 (faces, side, side, 3) without a header; `NAME.json`, written after it, says of
what. A crop has a margin around what the network sees (`crops.packed_side`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.pictures import Unreadable, read_crops
from aucli.datatypes import CropConvention
from aucli.errors import MediaError
from aucli.inference.devices import available_cores
from aucli.media.pictures import read_picture
from aucli.plain_json import read_json
from aucli.sinks.atomic import atomic_file, write_json
from aucli.training.crops import packed_convention, packed_side

_ROWS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Pack:
    """crops: uint8 (faces, side, side, 3), mapped from the file. unreadable: rows whose picture was not
    readable, with the reason; their crops are black.
    """

    crops: NDArray[np.uint8]
    unreadable: dict[int, str]


def dataset_identity(faces: LabelledFaces) -> str:
    """sha256 of what makes a dataset: its pictures' names, people, labels, points, intensities, landmarks."""
    digest = hashlib.sha256(json.dumps([faces.dataset, faces.au_names, faces.paths, faces.subjects]).encode())
    for array in (faces.labels, faces.points, faces.intensity, faces.landmarks):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def open_pack(path: Path, faces: LabelledFaces, convention: CropConvention) -> Pack | None:
    """The pack at `path` (ending in .u8) if it is complete and of these faces, else None."""
    try:
        about = read_json(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    side = packed_side(convention.size)
    if about.get("of") != _about(faces, convention) or not path.is_file():
        return None
    if path.stat().st_size != len(faces) * side * side * 3:
        return None
    crops = np.memmap(path, np.uint8, "r", shape=(len(faces), side, side, 3))
    return Pack(crops, {int(row): reason for row, reason in about["unreadable"].items()})


def make_pack(
    path: Path,
    faces: LabelledFaces,
    convention: CropConvention,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Cut out all crops and write the pack, whole or not at all.

    on_progress: is told how many faces are done.

    Raises:
        UsageError: more than 1 % of the pictures cannot be read.
        OutputError: the file cannot be written.
    """
    about = path.with_suffix(".json")
    about.unlink(missing_ok=True)
    unreadable = Unreadable(len(faces))
    done = 0
    with atomic_file(path) as file:
        for crops in _in_threads(faces, convention, unreadable):
            file.write(crops.data)
            done += len(crops)
            on_progress(done)
    write_json(about, {"of": _about(faces, convention), "unreadable": unreadable.reasons})


def _about(faces: LabelledFaces, convention: CropConvention) -> dict[str, Any]:
    cut = None if faces.crop is None else [faces.crop.size, faces.crop.scale, faces.crop.shift_y]
    return {
        "faces": len(faces),
        "identity": dataset_identity(faces),
        "root": str(faces.root.resolve()),
        "prepared": cut,
        "convention": [convention.size, convention.scale, convention.shift_y],
    }


def _in_threads(
    faces: LabelledFaces, convention: CropConvention, unreadable: Unreadable
) -> Iterator[NDArray[np.uint8]]:
    """All crops in order; a few threads decode ahead, which Pillow and torch let run side by side."""
    side = packed_side(convention.size)
    wide = packed_convention(convention, side)
    threads = available_cores()

    def cut(start: int) -> NDArray[np.uint8]:
        rows = range(start, min(start + _ROWS_AT_ONCE, len(faces)))
        if faces.points is None and faces.crop is None:
            return _whole(faces, rows, side, unreadable)
        return read_crops(faces, rows, wide, unreadable=unreadable)

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        try:
            for start in range(0, len(faces), _ROWS_AT_ONCE):
                waiting.append(pool.submit(cut, start))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _whole(faces: LabelledFaces, rows: Sequence[int], side: int, unreadable: Unreadable) -> NDArray[np.uint8]:
    """Ready crops of unknown convention with the margin that the authors cut at random: Resize(256), whose
    centre of 224 is what `read_crops` gives; the longer side is cut to the square.
    """
    crops = np.zeros((len(rows), side, side, 3), np.uint8)
    for place, row in enumerate(rows):
        try:
            picture = Image.fromarray(read_picture(faces.root / faces.paths[row]))
        except MediaError as error:
            unreadable.add(row, str(error))
            continue
        width, height = picture.size
        shorter = min(width, height)
        resized = picture.resize(
            (int(side * width / shorter), int(side * height / shorter)), Image.Resampling.BILINEAR
        )
        left, top = round((resized.width - side) / 2), round((resized.height - side) / 2)
        crops[place] = np.asarray(resized.crop((left, top, left + side, top + side)))
    return crops


def bytes_needed(faces: int, size: int) -> int:
    """Size of a pack."""
    return faces * packed_side(size) ** 2 * 3


def free_bytes(folder: Path) -> int:
    """Room left where the folder lies."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
