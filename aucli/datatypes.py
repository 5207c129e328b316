"""The values that travel between the stages, with shapes checked once when they are made.

Nothing here imports torch or, until it is needed, numpy: the module is loaded by ``aucli --help``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aucli.errors import ShapeError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

SourceKind = Literal["video", "image", "image_folder"]
Status = Literal["ok", "partial", "no_face", "failed", "skipped"]

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The five alignment points in the order of every landmark array. Left and right are the
*picture's* (the detectors' convention), unlike AU sides, which are the person's own."""


@cache
def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def check_array(name: str, array: Any, shape: tuple[int | None, ...], dtype: str) -> None:
    """Refuse an array or tensor that has another dtype or shape (None: any length) than promised.

    Raises:
        ShapeError: naming what was promised and what came.
    """
    given = tuple(array.shape)
    fits = len(given) == len(shape) and all(
        want is None or want == got for want, got in zip(shape, given, strict=True)
    )
    if not fits or _name(array.dtype) != dtype:
        wanted = "(" + ", ".join("*" if want is None else str(want) for want in shape) + ")"
        raise ShapeError(f"{name} must be {dtype} {wanted}, got {array.dtype} {given}")


@dataclass(frozen=True)
class RemoteFile:
    """A file on storage that has an address: `s3://bucket/a.mp4`, its size and last change as listed."""

    url: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Source:
    """One input as discovered on disk: a video, a picture, or a folder of numbered pictures."""

    path: Path
    name: str  # what stands in the column `video`: the path as given, relative to its input root
    kind: SourceKind = "video"
    subject: str | None = None  # from a list.csv
    start_seconds: float | None = None  # from a list.csv; overrides the command's --start
    end_seconds: float | None = None
    remote: RemoteFile | None = None  # where it is, when not at `path`; a worker fetches it

    @property
    def location(self) -> str:
        """Its path or address, as in the report."""
        return str(self.path) if self.remote is None else self.remote.url


@dataclass(frozen=True)
class Shard:
    """One of several machines' parts of a run: shard `number` of `count`, both from 1.

    Raises:
        UsageError: no such shard.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 1 <= self.number <= self.count:
            raise UsageError(
                f"there is no shard {self.number} of {self.count}; shards are counted from 1, "
                f"as in 1/{max(self.count, 1)} to {max(self.count, 1)}/{max(self.count, 1)}"
            )


@dataclass(frozen=True)
class Selection:
    """Which frames of a video are processed: start <= time < end, then every Nth or at most F a second.

    Raises:
        UsageError: `every` below 1, `fps` not positive, both given, or an end not after the start.
    """

    start_seconds: float | None = None
    end_seconds: float | None = None
    every: int = 1
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"--every {self.every}: must be 1 or more; --every 1 takes each frame")
        if self.fps is not None and not self.fps > 0:
            raise UsageError(f"--fps {self.fps:g}: must be above 0, for instance --fps 10")
        if self.fps is not None and self.every != 1:
            raise UsageError("--every and --fps exclude each other: give one of them")
        if self.start_seconds is not None and self.start_seconds < 0:
            raise UsageError(f"--start {self.start_seconds:g}: must be 0 or more seconds")
        if self.end_seconds is not None and self.end_seconds <= (self.start_seconds or 0.0):
            raise UsageError(
                f"--end {self.end_seconds:g} is not after --start {self.start_seconds or 0.0:g}: "
                "give an end later than the start"
            )


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture, upright, in display size.

    pixels: uint8 (height, width, 3), RGB, on any device.
    index: number of the frame in the file, from 0, counted while decoding.
    pts, time_base: presentation time stamp as stored in the stream.
    """

    index: int
    pts: int
    time_base: Fraction
    pixels: Tensor

    def __post_init__(self) -> None:
        check_array("Frame.pixels", self.pixels, (None, None, 3), "uint8")

    @property
    def pts_seconds(self) -> float:
        """Presentation time in seconds: the exact fraction, rounded once to float64."""
        return float(self.pts * self.time_base)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, {self.pts_seconds:.6f} s, {self.width}x{self.height})"


@dataclass(frozen=True, eq=False)
class Faces:
    """All faces of one frame, row by row.

    boxes: float32 (faces, 4), left, top, width, height in pixels of the displayed picture.
    scores: float32 (faces,), the detector's score 0 to 1.
    landmarks: float32 (faces, 5, 2), x, y in pixels, in the order of `LANDMARK_NAMES`.
    tracks: int32 (faces,), the person's number in this video, or None before tracking.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    tracks: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        faces = len(self.scores)
        check_array("Faces.boxes", self.boxes, (faces, 4), "float32")
        check_array("Faces.scores", self.scores, (faces,), "float32")
        check_array("Faces.landmarks", self.landmarks, (faces, 5, 2), "float32")
        if self.tracks is not None:
            check_array("Faces.tracks", self.tracks, (faces,), "int32")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Faces:
        """A frame without a face (tracked)."""
        import numpy as np

        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 5, 2), np.float32),
            np.zeros(0, np.int32),
        )

    def select(self, rows: NDArray[Any]) -> Faces:
        """The given rows (indices or a boolean mask), in that order."""
        return Faces(
            self.boxes[rows],
            self.scores[rows],
            self.landmarks[rows],
            None if self.tracks is None else self.tracks[rows],
        )

    def __repr__(self) -> str:
        return f"Faces({len(self)}, tracks={None if self.tracks is None else self.tracks.tolist()})"


@dataclass(frozen=True)
class CropConvention:
    """How a face is cut out for a network; part of a model's card.

    The five template points of `aucli.faces.align` (InsightFace's ArcFace points on the unit square)
    are scaled about the centre by `scale`, moved down by `shift_y` (both as parts of the side),
    and a similarity transform takes the detected points there in a square of `size` pixels.
    """

    size: int = 112  # pixels, side of the crop given to the network
    scale: float = 0.9
    shift_y: float = -0.1


@dataclass(frozen=True)
class DecodeSummary:
    """What a decoder saw in one file; complete once its frames are exhausted."""

    decoder: str  # name of the backend that ran
    frames_decoded: int = 0  # all, also those not selected
    frames_from_header: int | None = None  # as the container claims; None where it does not say
    packets_failed: int = 0
    frames_corrupt: int = 0
    stopped_early: str | None = None  # why the end of the file was not reached or not whole
    notes: tuple[str, ...] = field(default_factory=tuple)  # e.g. why another decoder was not used

    @property
    def problem(self) -> str | None:
        """One sentence for the report when the rows are not the whole video, else None."""
        found = []
        if self.stopped_early:
            found.append(self.stopped_early)
        if self.packets_failed:
            found.append(f"{counted(self.packets_failed, 'packet')} could not be decoded")
        if self.frames_corrupt:
            found.append(f"{counted(self.frames_corrupt, 'damaged frame')}")
        return "; ".join(found) or None


def readable(text: str) -> str:
    r"""Text that every file and terminal takes: bytes of a name that are not UTF-8 stand as `\xe9`.

    Python has such bytes as lone surrogates, which neither Parquet nor a UTF-8 file can hold.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def counted(number: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
