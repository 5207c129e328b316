"""Recipes of the clips that the tests are run on: real files, made with PyAV where they are needed.

A *numbered* clip carries the number of each frame in the picture as a bar code, so that a test can
tell the right picture from the right count: `numbered_frames` writes it, `read_number` reads it (and
sees a picture that is rotated, mirrored or has its colours swapped). `RECIPES` is the matrix of
containers, codecs and time stamps; `pan_over` turns a photograph into a clip with real faces.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.media.scheduling import ordinary_threads

Picture = NDArray[np.uint8]  # (height, width, 3), RGB

CODE_BITS = 10  # numbers 0 to 1023
_BLOCKS = CODE_BITS + 2  # a white block before and a black one after: the picture is not mirrored


def numbered_frames(count: int, width: int = 192, height: int = 128) -> Iterator[Picture]:
    """Pictures 0 to count - 1: bar code in the upper half, red lower left, blue lower right."""
    for number in range(count):
        bits = [True, *(bool(number >> bit & 1) for bit in range(CODE_BITS)), False]
        picture = np.zeros((height, width, 3), np.uint8)
        edges = np.linspace(0, width, _BLOCKS + 1).round().astype(int)
        for bit, (left, right) in zip(bits, pairwise(edges), strict=True):
            picture[: height // 2, left:right] = 230 if bit else 25
        picture[height // 2 :, : width // 2] = (200, 40, 40)
        picture[height // 2 :, width // 2 :] = (40, 40, 200)
        yield picture


def packets(path: Path, kind: str = "video") -> list[tuple[Fraction, bytes]]:
    """The oracle for written files: times and bytes of what lies in the container, nothing decoded."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def read_number(pixels: Any, *, colour: bool = True) -> int | None:
    """The number in a picture of `numbered_frames` (array or tensor), None if it is not upright.

    With `colour` the red and the blue corner must be where they were painted.
    """
    picture = np.asarray(pixels).astype(np.float32)
    height, width = picture.shape[:2]
    edges = np.linspace(0, width, _BLOCKS + 1)
    rows = slice(round(height * 0.15), round(height * 0.35))
    levels = [
        picture[rows, round(left * 0.7 + right * 0.3) : round(left * 0.3 + right * 0.7) + 1].mean()
        for left, right in pairwise(edges)
    ]
    bits = [level > 127 for level in levels]
    if not bits[0] or bits[-1]:
        return None
    if colour:
        lower = slice(round(height * 0.65), round(height * 0.85))
        red = picture[lower, round(width * 0.15) : round(width * 0.35)].mean((0, 1))
        blue = picture[lower, round(width * 0.65) : round(width * 0.85)].mean((0, 1))
        if min(red[0], blue[2]) < 150 or max(red[2], blue[0]) > 100:
            return None
    return sum(1 << place for place, bit in enumerate(bits[1:-1]) if bit)


def write_clip(
    path: Path,
    frames: Iterable[Picture],
    *,
    rate: int | Fraction = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    bframes: int = 0,
    gop: int = 12,
    rotation_degrees: int = 0,
    hflip: bool = False,
    sample_aspect_ratio: Fraction | None = None,
    audio: bool = False,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB pictures into `path`; the suffix names the container.

    frames: uint8 (height, width, 3), all of one size, *as they shall be seen*: with
        `rotation_degrees` (90, 180, 270) or `hflip` they are stored turned the other way and the
        display matrix turns them back.
    pts: one time stamp per frame in units of `time_base` (default 1/1000 s) for a clip whose frame
        rate varies or that does not start at zero; without it frame i is shown at i / rate.
    bframes: number of B-frames between others (H.264, HEVC, MPEG-4).
    sample_aspect_ratio: width of a stored pixel over its height; the pictures are stored as given.
    audio: adds a quiet tone.
    """
    pictures = iter(frames)
    first = next(pictures)
    step = time_base or (Fraction(1, 1000) if pts is not None else 1 / Fraction(rate))
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stored = _as_stored(first, rotation_degrees, hflip)
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.max_b_frames = bframes
        stream.codec_context.time_base = step
        stream.time_base = step
        if sample_aspect_ratio is not None:
            stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        options = {"preset": "veryfast", "crf": "18"} if codec in ("libx264", "libx265") else {}
        if codec == "libx264" and bframes:
            options |= {"b-adapt": "0", "bf": str(bframes)}
        if codec == "libx265":
            options |= {"x265-params": "log-level=none"}
        if codec == "libvpx-vp9":
            options |= {"deadline": "realtime", "cpu-used": "8"}
        if codec == "mpeg4":
            options |= {"qscale": "3"}
        stream.options = options | (codec_options or {})
        if rotation_degrees or hflip:
            stream.set_display_rotation(rotation_degrees, hflip=hflip)
        sound = _Tone(container, path) if audio else None
        for index, picture in enumerate(chain([first], pictures)):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(_as_stored(picture, rotation_degrees, hflip)), format="rgb24"
            ).reformat(format=pix_fmt)
            frame.pts = index if pts is None else pts[index]
            frame.time_base = step
            with nullcontext() if index else ordinary_threads():  # the first one opens the encoder
                container.mux(stream.encode(frame))
            if sound is not None:
                sound.play_until(float((frame.pts + 1) * step))
        container.mux(stream.encode(None))
        if sound is not None:
            sound.end()
    return path


def _as_stored(picture: Picture, rotation_degrees: int, hflip: bool) -> Picture:
    """The inverse of what the display matrix does: it rotates first and mirrors the result."""
    mirrored = picture[:, ::-1] if hflip else picture
    return np.rot90(mirrored, -(rotation_degrees // 90))


class _Tone:
    """A 440 Hz sound track, written along with the pictures so that the packets interleave."""

    RATE = 48_000
    SAMPLES = 960

    def __init__(self, container: av.container.OutputContainer, path: Path) -> None:
        codec = {".webm": "libopus", ".avi": "mp2", ".mpg": "mp2"}.get(path.suffix, "aac")
        self._container = container
        self._stream = container.add_stream(codec, rate=self.RATE, layout="mono")
        self._done = 0

    def play_until(self, seconds: float) -> None:
        while self._done < seconds * self.RATE:
            times = (self._done + np.arange(self.SAMPLES)) / self.RATE
            wave = (3000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate = self.RATE
            frame.pts = self._done
            frame.time_base = Fraction(1, self.RATE)
            self._container.mux(self._stream.encode(frame))
            self._done += self.SAMPLES

    def end(self) -> None:
        self._container.mux(self._stream.encode(None))


@dataclass(frozen=True)
class Recipe:
    """One kind of clip: the file's suffix and what `write_clip` is told.

    `times` are the frames' presentation times in seconds as asked of the encoder.
    """

    suffix: str = ".mp4"
    options: dict[str, Any] = field(default_factory=dict)
    width: int = 192
    height: int = 128
    colour: bool = True  # False: the clip is gray, so `read_number(..., colour=False)`

    def times(self, count: int) -> list[Fraction]:
        """When each of the first `count` frames is shown, in seconds."""
        if "pts" in self.options:
            step = self.options.get("time_base", Fraction(1, 1000))
            return [pts * step for pts in self.options["pts"][:count]]
        return [Fraction(index) / Fraction(self.options.get("rate", 25)) for index in range(count)]

    def write(self, path: Path, frames: Iterable[Picture]) -> Path:
        """Write the given pictures into `path` (its suffix is replaced by the recipe's)."""
        return write_clip(path.with_suffix(self.suffix), frames, **self.options)

    def write_numbered(self, path: Path, count: int = 30) -> Path:
        """Write `count` numbered pictures in the recipe's size."""
        return self.write(path, numbered_frames(count, self.width, self.height))


# Gaps of 1 to 5 frames of 1/25 s and odd milliseconds: 40 frames in 4.1 s.
VFR_PTS = tuple(int(value) for value in np.cumsum([0, *([40, 200, 33, 67, 120, 41, 159, 160] * 5)[:39]]))
DROPPED_PTS = tuple(index + index // 4 for index in range(40))  # every fifth frame is missing
LATE_PTS = tuple(2000 + 40 * index for index in range(40))

RECIPES: dict[str, Recipe] = {
    "cfr_mp4": Recipe(),
    "cfr_2997_mov": Recipe(".mov", {"rate": Fraction(30000, 1001)}),
    "audio_mp4": Recipe(options={"audio": True}),
    "fragmented_mp4": Recipe(options={"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "vfr_mp4": Recipe(options={"pts": VFR_PTS}),
    "vfr_mkv": Recipe(".mkv", {"pts": VFR_PTS}),
    "bframes_mp4": Recipe(options={"bframes": 3}),
    "bframes_vfr_mkv": Recipe(".mkv", {"bframes": 3, "pts": VFR_PTS}),
    "late_start_mkv": Recipe(".mkv", {"pts": LATE_PTS}),
    "rotated_90_mp4": Recipe(options={"rotation_degrees": 90}),
    "rotated_180_mp4": Recipe(options={"rotation_degrees": 180}),
    "rotated_270_mov": Recipe(".mov", {"rotation_degrees": 270}),
    "mirrored_mp4": Recipe(options={"hflip": True}),
    "rotated_mirrored_mp4": Recipe(options={"rotation_degrees": 90, "hflip": True}),
    "odd_size_mkv": Recipe(".mkv", {"codec": "ffv1", "pix_fmt": "yuv420p"}, width=191, height=127),
    "wide_pixels_mp4": Recipe(options={"sample_aspect_ratio": Fraction(4, 3)}),
    "narrow_pixels_mp4": Recipe(options={"sample_aspect_ratio": Fraction(8, 9)}),
    "ten_bit_hevc_mkv": Recipe(".mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le"}),
    "full_range_444_mp4": Recipe(options={"pix_fmt": "yuvj444p"}),
    "gray_mkv": Recipe(".mkv", {"codec": "ffv1", "pix_fmt": "gray"}, colour=False),
    "alpha_mkv": Recipe(".mkv", {"codec": "ffv1", "pix_fmt": "yuva420p"}),
    "vp9_webm": Recipe(".webm", {"codec": "libvpx-vp9", "audio": True}),
    "av1_mkv": Recipe(
        ".mkv", {"codec": "libsvtav1", "codec_options": {"preset": "12", "svtav1-params": "lp=1"}}
    ),
    "h264_avi": Recipe(".avi"),
    "bframes_h264_avi": Recipe(".avi", {"bframes": 2}),
    "bframes_mpeg4_avi": Recipe(".avi", {"codec": "mpeg4", "bframes": 2}),
    # The container has empty chunks where frames are missing.
    "dropped_avi": Recipe(".avi", {"pts": DROPPED_PTS, "time_base": Fraction(1, 25)}),
    "mjpeg_avi": Recipe(".avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "mpeg_ts": Recipe(".ts", {"bframes": 2, "audio": True}),
    "m2ts": Recipe(".m2ts"),
    "mpeg2_mpg": Recipe(".mpg", {"codec": "mpeg2video"}),
}


def truncate(path: Path, fraction: float) -> Path:
    """Keep the first part of the file, as an interrupted copy does."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


def zero_middle(path: Path, fraction: float = 0.1, centre: float = 0.5) -> Path:
    """Overwrite a part of the file with zeros, as a bad sector does."""
    content = bytearray(path.read_bytes())
    half = int(len(content) * fraction / 2)
    middle = int(len(content) * centre)
    content[middle - half : middle + half] = bytes(2 * half)
    path.write_bytes(content)
    return path


def photo_astronaut() -> Picture:
    """One face, 512 x 512 (NASA, public domain, in scikit-image)."""
    # Imported here: only the tests that look at faces need it, and it takes a while.
    from skimage import data

    return np.asarray(data.astronaut(), np.uint8)


def photo_t1() -> Picture:
    """Six faces, 1280 x 886, from the insightface package, which is not imported for it."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "data" / "images" / "t1.jpg") as picture:
        return np.asarray(picture.convert("RGB"), np.uint8)


def pan_over(
    image: Picture, width: int, height: int, n_frames: int, travel: float = 0.1
) -> Iterator[Picture]:
    """A slow pan from left to right over a still picture, as uint8 (height, width, 3).

    The picture is scaled to cover the window with a slack of `travel` of the window's width, which
    the window crosses in n_frames steps (part of a pixel each); it stays vertically centred, so a
    window much wider than the picture cuts its top and bottom.
    """
    whole_height, whole_width = image.shape[:2]
    scale = max(width * (1 + travel) / whole_width, height / whole_height)
    window_width, window_height = width / scale, height / scale
    slack = min(width * travel / scale, whole_width - window_width)
    start = (whole_width - window_width - slack) / 2
    top = (whole_height - window_height) / 2
    picture = Image.fromarray(image)
    for index in range(n_frames):
        left = start + slack * index / max(n_frames - 1, 1)
        window = (left, top, left + window_width, top + window_height)
        yield np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=window), np.uint8)
