"""Where a long video may be split: planned from its packets, which are read and not decoded.

Key frames are not enough: which frames are selected, where faces are detected and which number a frame has
depend on all frames before. A plan knows them all from the packets' time stamps, so it is made only where
these can be trusted; everywhere else the video is done whole. What a plan says is checked again while the
segments are decoded, see `decode.packets`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Selection
from aucli.errors import SplitError
from aucli.media.container import open_video, packets_of
from aucli.media.decode.choose import FrameChooser
from aucli.media.stretch import Stretch
from aucli.media.truncation import missing_bytes

WARM_UP_SECONDS = 10.0
"""From a segment's key frame to the frame in which it must know what the segment before it knows."""
CHECKED_PICTURES = 16  # up to there they must be equal; as many as a codec may refer back to (H.264, HEVC)
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # in which a packet is a picture
_PACKETS_BETWEEN_SIGNS = 5000


@dataclass(frozen=True)
class Meeting:
    """Where two segments must have seen the same and know the same.

    index: of a frame in which faces are detected. checked_from: of the first frame whose picture is compared.
    """

    index: int
    checked_from: int


@dataclass(frozen=True, eq=False)
class Segment:
    """One of the parts that a video is split into; all numbers of frames are those in the file.

    stretch: what is decoded: warm-up, the segment's own frames, and what is needed of those after it.
    begin, end: its rows are those of frames begin <= index < end. frames: how many of them are selected.
    met: with the segment before it, None for the first. meets: with the next one, None for the last.
    """

    number: int
    count: int
    stretch: Stretch
    begin: int
    end: int
    frames: int
    met: Meeting | None
    meets: Meeting | None


@dataclass(frozen=True, eq=False)
class PacketScan:
    """What the packets of a video say.

    pts: int64, of all pictures, in order. key_pts: int64, of the key frames, in order. frame_rate: average.
    """

    pts: NDArray[np.int64]
    key_pts: NDArray[np.int64]
    time_base: Fraction
    frame_rate: Fraction | None


def is_long(path: Path, selection: Selection, longest_seconds: float) -> bool:
    """Whether what is selected is longer, as the header says; True where it says nothing.

    Raises:
        MediaError: the file cannot be opened as a video.
    """
    container, stream = open_video(path)
    with container:
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / av.time_base
        else:
            seconds = math.inf
    end = math.inf if selection.end_seconds is None else selection.end_seconds
    return min(seconds, end) - (selection.start_seconds or 0.0) > longest_seconds


def scan_packets(path: Path, tell: Callable[[], None] = lambda: None) -> PacketScan:
    """Read all packets of the main video stream. tell: called now and then, as a sign of progress.

    Raises:
        SplitError: the packets do not tell all frames for certain, with the reason.
        MediaError: the file cannot be opened as a video.
    """
    container, stream = open_video(path)
    pts: list[int] = []
    keys: list[int] = []
    with container:
        name = container.format.name
        if name not in CONTAINERS:
            raise SplitError(f"a container of the kind {name} does not tell the time of every frame")
        if missing_bytes(path):
            raise SplitError("the file is cut off")
        try:
            for count, packet in enumerate(packets_of(container, stream)):
                if packet.is_discard:
                    raise SplitError("an edit list hides some of its frames")
                if packet.is_corrupt:
                    raise SplitError("some of its packets are damaged")
                if packet.pts is None:
                    raise SplitError("some of its frames have no time stamp")
                pts.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if count % _PACKETS_BETWEEN_SIGNS == 0:
                    tell()
        except av.error.FFmpegError as error:
            raise SplitError(f"it cannot be read to its end ({error.strerror})") from error
        times = np.sort(np.array(pts, np.int64))
        if (np.diff(times) == 0).any():
            raise SplitError("two of its frames have the same time stamp")
        rate = stream.average_rate or stream.guessed_rate
        return PacketScan(times, np.sort(np.array(keys, np.int64)), stream.time_base or Fraction(1), rate)


def divide(
    scan: PacketScan,
    selection: Selection,
    longest_seconds: float,
    *,
    detect_every: int,
    context_frames: int = 0,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> list[Segment]:
    """About equal segments, none longer than asked for by more than a detection interval where key frames
    allow it; empty for a video whose selected frames take no longer.

    selection: with the times of a list.csv, see `window_of`. detect_every: a segment begins at a selected
    frame whose place among these is a multiple of it. context_frames: selected frames on both sides of
    a frame that its outputs depend on.

    Raises:
        SplitError: there is no key frame at which a segment could begin.
    """
    chosen, pictures = _choose(scan, selection)
    selected = np.flatnonzero(chosen)
    if not len(selected):
        return []
    seconds = scan.pts.astype(np.float64) * float(scan.time_base)
    first_seconds = seconds[selected[0]]
    length = seconds[selected[-1]] - first_seconds
    if length <= longest_seconds:
        return []
    detected = selected[::detect_every]
    context = math.ceil(context_frames / detect_every)  # in detections
    count = math.ceil(length / longest_seconds)
    keys = np.searchsorted(scan.pts, scan.key_pts)

    starts = [
        (0, 0, 0)
    ]  # place of its first detected frame among these, of the meeting, number of its key frame
    for number in range(1, count):
        place = int(np.searchsorted(seconds[detected], first_seconds + number * length / count, "right")) - 1
        meeting = place - context
        before = starts[-1][0]
        if meeting <= before:
            continue
        early = keys[seconds[keys] <= seconds[detected[meeting]] - warm_up_seconds]
        # From a key frame further back it would do the work of the segment before it once more.
        if len(early) and early[-1] > detected[before]:
            starts.append((place, meeting, int(early[-1])))
    if len(starts) == 1:
        raise SplitError(f"no key frame lies {warm_up_seconds:g} s before a place where it could be split")

    whole = pictures == len(scan.pts)
    segments = []
    for number, (place, _, key) in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        begin = int(detected[place]) if number else 0
        end, stop = pictures, pictures - 1
        if following is not None:
            end = int(detected[following[0]])
            stop = (
                int(detected[following[0] + context])
                if following[0] + context < len(detected)
                else int(selected[-1])
            )
        own = chosen[key : stop + 1].copy()
        own[: detected[np.searchsorted(detected, key)] - key] = False  # it begins with a detection
        segments.append(
            Segment(
                number,
                len(starts),
                Stretch(key, scan.pts[key : stop + 1].copy(), own, to_the_end=whole and following is None),
                begin,
                end,
                int(chosen[begin:end].sum()),
                _meeting(selected, detected, starts[number]) if number else None,
                None if following is None else _meeting(selected, detected, following),
            )
        )
    return segments


def _choose(scan: PacketScan, selection: Selection) -> tuple[NDArray[np.bool_], int]:
    """Which pictures are selected, and how many there are up to the end of the window."""
    chooser = FrameChooser(selection)
    chosen = np.zeros(len(scan.pts), np.bool_)
    for index, pts in enumerate(scan.pts.tolist()):
        decision = chooser.decide(pts * scan.time_base)
        if decision == "stop":
            return chosen, index
        chosen[index] = decision == "take"
    return chosen, len(chosen)


def _meeting(
    selected: NDArray[np.int64], detected: NDArray[np.int64], start: tuple[int, int, int]
) -> Meeting:
    _, meeting, key = start
    index = detected[meeting]
    last = int(np.searchsorted(selected, index))
    first = max(
        last + 1 - CHECKED_PICTURES, int(np.searchsorted(selected, detected[np.searchsorted(detected, key)]))
    )
    return Meeting(int(index), int(selected[first]))
