"""One video through all stages: decode, detect, track, align, network, rows.

Every stage is a generator; `prefetch` puts a thread between two of them, so that decoding, detection
and the network overlap. Memory is bounded by the queues, whatever the length of the video.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.config import ExtractConfig
from aucli.datatypes import CropConvention, Faces, Frame
from aucli.faces.align import crop_faces
from aucli.faces.detect import Detector
from aucli.faces.follow import find_faces
from aucli.faces.quality import pose_degrees, sharpness
from aucli.faces.snapshot import SnapshotLog
from aucli.faces.valid import valid
from aucli.inference.portions import Portions
from aucli.inference.postprocess import Postprocess
from aucli.inference.predictor import FacePredictor
from aucli.inference.prefetch import prefetch
from aucli.inference.sequences import with_outputs
from aucli.inference.timing import UNTIMED, Timer
from aucli.media.decode import Decoder
from aucli.sinks.rows import Rows
from aucli.zoo.card import Card

FRAMES_AHEAD = 16  # decoded frames waiting for the detector
TRACKED_AHEAD = 16  # frames whose faces are known and wait to be cut out
_ONE_BY_ONE = Portions()


@dataclass(frozen=True, eq=False)
class CroppedFrame:
    """What is left of a frame once its faces are cut out.

    crops: float32 (faces, 3, size, size), 0 to 255. pose: float32 (faces, 3), yaw, pitch, roll in degrees.
    sharpness: float32 (faces,). valid: bool (faces,).
    """

    index: int
    pts_seconds: float
    width: int
    height: int
    faces: Faces
    crops: Tensor
    pose: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of consecutive frames, with the size of the picture that each face row lies in, and what the
    predictor gives of each face that is not written: pairs, heatmaps, see `Predictions`.
    """

    rows: Rows
    frames: int
    picture_sizes: NDArray[np.float32]  # (faces, 2), width, height
    pairs: NDArray[np.float32] | None = None
    heatmaps: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Window:
    """Which frames of a decoder's are needed when it gives more: numbers of frames, the second not included.

    scored: go through the network. emitted: come out as rows. snapshots: taken on the way.
    """

    scored: range
    emitted: range
    snapshots: SnapshotLog


def analyse(
    decoder: Decoder,
    detector: Detector,
    predictor: FacePredictor,
    config: ExtractConfig,
    *,
    portions: Portions = _ONE_BY_ONE,
    timer: Timer = UNTIMED,
    threaded: bool = True,
    window: Window | None = None,
) -> Generator[Chunk, None, None]:
    """All rows of a video, in order; without `config.detect_every` a detection in each frame.

    portions: how much goes through a stage together; changes no value.
    threaded: run decoding and detection in threads of their own; the rows are the same without.
    window: what is needed of a segment; None for a whole video.

    Raises:
        MediaError: the file gives no frame at all, or the decoder cannot go on.
    """
    frames = timer.each("decode", on_device(decoder.frames(), predictor.device))
    if threaded:
        frames = prefetch(frames, FRAMES_AHEAD, timer=timer, producer="decode", consumer="detect")
    detect_every = config.detect_every or 1
    tracked = find_faces(
        frames,
        detector,
        detect_every=detect_every,
        max_faces=config.max_faces,
        batch_frames=portions.detections * detect_every,
        batch_pixels=portions.pixels,
        looked_at_once=portions.looked_at,
        timer=timer,
        filled_from=0 if window is None else window.scored.start,
        snapshots=None if window is None else window.snapshots,
    )
    if window is not None:
        tracked = ((frame, faces) for frame, faces in tracked if frame.index in window.scored)
    if threaded:
        # Detection is the slowest stage: cutting out goes with the network, into the thread that has time.
        tracked = prefetch(tracked, TRACKED_AHEAD, timer=timer, producer="detect", consumer="network")
    cropped = cut_out(tracked, predictor.card.crop, detector.sure_score, timer, at_once=portions.cut_out)
    if predictor.card.reads_clips:
        scored = score_clips(cropped, predictor, timer, emitted=None if window is None else window.emitted)
    else:
        scored = score(cropped, predictor, timer, chunk_frames=portions.chunk)
    with closing(scored) as chunks:
        yield from chunks


def on_device(frames: Iterable[Frame], device: torch.device) -> Generator[Frame, None, None]:
    """The same frames with their pixels on the device; on the CPU untouched."""
    for frame in frames:
        yield frame if device.type == "cpu" else replace(frame, pixels=frame.pixels.to(device))


def cut_out(
    tracked: Iterable[tuple[Frame, Faces]],
    convention: CropConvention,
    sure_score: float,
    timer: Timer = UNTIMED,
    *,
    at_once: int = 1,
) -> Generator[CroppedFrame, None, None]:
    """Aligned crops and quality of each frame's faces; the frame itself is let go.

    at_once: frames of one size that are gone through together.
    """
    for group in _of_one_size(tracked, at_once):
        with timer("align"):
            cropped = _cut_group(group, convention, sure_score)
        group.clear()
        yield from cropped


def _of_one_size(
    tracked: Iterable[tuple[Frame, Faces]], at_once: int
) -> Generator[list[tuple[Frame, Faces]], None, None]:
    group: list[tuple[Frame, Faces]] = []
    for frame, faces in tracked:
        if group and group[0][0].pixels.shape != frame.pixels.shape:
            yield group
            group = []
        group.append((frame, faces))
        if len(group) >= at_once:
            yield group
            group = []
    if group:
        yield group


def _cut_group(
    group: list[tuple[Frame, Faces]], convention: CropConvention, sure_score: float
) -> list[CroppedFrame]:
    counts = [len(faces) for _, faces in group]
    joined = _joined([faces for _, faces in group])
    with_faces = [frame.pixels for frame, faces in group if len(faces)] or [group[0][0].pixels]
    pictures = with_faces[0].unsqueeze(0) if len(with_faces) == 1 else torch.stack(with_faces)
    there = [count for count in counts if count]
    crops = crop_faces(pictures, np.repeat(np.arange(len(there)), there), joined.landmarks, convention)
    pose, sharp = pose_degrees(joined.landmarks), sharpness(crops)
    judged = valid(joined, pose, group[0][0].width, group[0][0].height, sure_score=sure_score)
    cropped, start = [], 0
    for (frame, faces), count in zip(group, counts, strict=True):
        rows = slice(start, start + count)
        start += count
        cropped.append(
            CroppedFrame(
                frame.index,
                frame.pts_seconds,
                frame.width,
                frame.height,
                faces,
                crops[rows],
                pose[rows],
                sharp[rows],
                judged[rows],
            )
        )
    return cropped


def score(
    cropped: Iterable[CroppedFrame],
    predictor: FacePredictor,
    timer: Timer = UNTIMED,
    *,
    chunk_frames: int = Portions.chunk,
) -> Generator[Chunk, None, None]:
    """Gather frames until a batch of faces is full, or there are `chunk_frames`, then score and emit them."""
    postprocess = Postprocess.of(predictor.card)
    waiting: list[CroppedFrame] = []
    faces = 0

    def flush() -> Chunk:
        found = predictor(torch.cat([frame.crops for frame in waiting]), timer)
        with timer("network"):
            intensities = postprocess.intensities(found.intensities)
            if found.outputs is None:
                probabilities, occurrences = None, postprocess.present(intensities)
            else:
                probabilities, occurrences = postprocess(found.outputs)
        chunk = _chunk(waiting, probabilities, occurrences, intensities, predictor.card)
        maps = None if found.heatmaps is None else found.heatmaps[:, postprocess.intensity_columns]
        return replace(chunk, pairs=found.pairs, heatmaps=maps)

    for frame in cropped:
        waiting.append(frame)
        faces += len(frame.faces)
        if faces >= predictor.batch_size or len(waiting) >= chunk_frames:
            yield flush()
            waiting, faces = [], 0
    if waiting:
        yield flush()


def score_clips(
    cropped: Iterable[CroppedFrame],
    predictor: FacePredictor,
    timer: Timer = UNTIMED,
    *,
    emitted: range | None = None,
) -> Generator[Chunk, None, None]:
    """The same for a network that reads clips: frames are emitted when those after them are known.

    emitted: numbers of the frames to emit, where some are there only for what others depend on.
    """
    postprocess = Postprocess.of(predictor.card)
    with closing(with_outputs(cropped, predictor, timer)) as scored:
        for known in scored:
            done = [one for one in known if emitted is None or one[0].index in emitted]
            if not done:
                continue
            outputs = np.concatenate([outputs for _, outputs in done])
            yield _chunk([frame for frame, _ in done], *postprocess(outputs), None, predictor.card)


def _chunk(
    frames: list[CroppedFrame],
    probabilities: NDArray[np.float32] | None,
    occurrences: NDArray[np.bool_] | None,
    intensities: NDArray[np.float32] | None,
    card: Card,
) -> Chunk:
    # A frame without a face is one row.
    counts = np.array([max(1, len(frame.faces)) for frame in frames])
    rows = Rows(
        frame_indices=np.repeat(np.array([frame.index for frame in frames], np.int32), counts),
        pts_seconds=np.repeat(np.array([frame.pts_seconds for frame in frames], np.float64), counts),
        has_face=np.repeat(np.array([len(frame.faces) > 0 for frame in frames]), counts),
        faces=_joined([frame.faces for frame in frames]),
        pose_degrees=np.concatenate([frame.pose for frame in frames]),
        sharpness=np.concatenate([frame.sharpness for frame in frames]),
        valid=np.concatenate([frame.valid for frame in frames]),
        probabilities=probabilities,
        occurrences=occurrences,
        au_names=card.written_aus,
        intensities=intensities,
        intensity_aus=card.intensity_aus,
    )
    sizes = [np.tile(np.array([f.width, f.height], np.float32), (len(f.faces), 1)) for f in frames]
    return Chunk(rows, len(frames), np.concatenate(sizes))


def _joined(faces: list[Faces]) -> Faces:
    tracks = [one.tracks for one in faces if one.tracks is not None]
    return Faces(
        np.concatenate([one.boxes for one in faces]),
        np.concatenate([one.scores for one in faces]),
        np.concatenate([one.landmarks for one in faces]),
        np.concatenate(tracks),
    )
