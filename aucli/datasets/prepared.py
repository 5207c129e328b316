"""The folder that `aucli prepare` makes: aligned crops and one table of labels.

`labels.parquet` has a row for each coded frame, also for those without a face:

subject, video, frame   who, in which recording, and the frame's number as the dataset counts
time_s                  seconds in a video, null for pictures
status                  `ok`; `no_face`: none was found; `no_picture`: the frame is not there or unreadable
path                    the crop, relative to the folder; null without a face
AU01 ...                1, 0, or null where it is not coded
AU01_int ...            intensity 0 to 5, where the dataset has it
face_score              the detector's score
crop_matrix             6 numbers, the rows of the 2 x 3 matrix that takes pixels of the frame to those of the
                        crop (crop = M[:, :2] @ frame + M[:, 2], whole numbers are the centres of pixels)
fold, split             where the dataset's own table has them

The crops' convention is `PREPARED_CROP` and stands in the table's metadata, under `aucli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.datatypes import CropConvention
from aucli.errors import UsageError
from aucli.plain_json import json_bytes, read_json

PREPARED_CROP = CropConvention(size=256, scale=0.9 * 224 / 256, shift_y=-0.1 * 224 / 256)
"""Its middle of 224 pixels is the crop of the default convention: resized to 256 and centre-cropped to 224,
as the authors do, it shows the face as the built-in model sees it, with some margin to move in."""

TABLE = "labels.parquet"
REPORT = "report.json"
CROPS = "crops"
METADATA_KEY = b"aucli"


def table_schema(
    au_names: tuple[str, ...], *, with_intensity: bool, metadata: dict[str, Any] | None = None
) -> pa.Schema:
    """Columns of `labels.parquet`."""
    fields = [
        pa.field("subject", pa.string()),
        pa.field("video", pa.string()),
        pa.field("frame", pa.int32()),
        pa.field("time_s", pa.float64()),
        pa.field("status", pa.string()),
        pa.field("path", pa.string()),
        *(pa.field(column_name(au), pa.int8()) for au in au_names),
        *(pa.field(f"{column_name(au)}_int", pa.float32()) for au in au_names if with_intensity),
        pa.field("face_score", pa.float32()),
        pa.field("crop_matrix", pa.list_(pa.float64(), 6)),
        pa.field("fold", pa.int32()),
        pa.field("split", pa.string()),
    ]
    about = None if metadata is None else {METADATA_KEY: json_bytes(metadata)}
    return pa.schema(fields, metadata=about)


def column_name(au: str) -> str:
    """`AU1L` -> `AU01L`: columns sort as FACS does."""
    number = au[2:].rstrip("LR")
    return f"AU{int(number):02d}{au[2 + len(number) :]}"


def prepared_metadata(root: Path) -> dict[str, Any] | None:
    """What `prepare` wrote about the folder; None where it did not make it.

    Raises:
        UsageError: its table cannot be read.
    """
    path = root / TABLE
    if not path.is_file():
        return None
    try:
        found = (pq.read_schema(path).metadata or {}).get(METADATA_KEY)
        value = read_json(found) if found else {}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({error}); run aucli prepare again") from error
    return value if "prepared" in value else None


def prepared_crop(metadata: dict[str, Any]) -> CropConvention:
    """The convention of the folder's crops."""
    return CropConvention(**metadata["prepared"]["crop"])
