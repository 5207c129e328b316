"""One recording of a dataset: its faces found, cut out and written; in a worker process."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from aucli.config import DecoderName, DetectorName
from aucli.datasets.labelled import MISSING
from aucli.datasets.prepared import PREPARED_CROP, column_name
from aucli.datasets.recordings import Recording
from aucli.datatypes import Faces, Frame, Source
from aucli.errors import InputNotFoundError, MediaError
from aucli.faces.align import crop_faces, similarity
from aucli.faces.detect import Detector, make_detector
from aucli.faces.detect_every import detect_every_for
from aucli.faces.follow import find_faces
from aucli.faces.main_person import Sightings
from aucli.inference.events import EventHook, VideoProgress, VideoStarted
from aucli.inference.parallel_detector import ParallelDetector
from aucli.inference.pipeline import FRAMES_AHEAD, on_device
from aucli.inference.portions import for_cpu
from aucli.inference.prefetch import prefetch
from aucli.media.decode import open_decoder
from aucli.media.pictures import folder_pictures, read_picture
from aucli.media.probe import probe
from aucli.sinks.atomic import cannot_write, sync_folder
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import ReportEntry

PictureFormat = Literal["jpg", "png"]
JPEG_QUALITY = 95
_PROGRESS_SECONDS = 0.5
_TOP_AUS = 3


@dataclass(frozen=True)
class PrepareConfig:
    """What decides the crops; the last two fields never change them."""

    detector: DetectorName = "mtcnn"
    decoder: DecoderName = "auto"
    detect_every: int | None = None  # None: chosen from the frame rate, see `faces.detect_every`
    min_face: int = 40
    picture_format: PictureFormat = "jpg"
    device: str = "auto"
    jobs: int | None = None


@dataclass(frozen=True, eq=False)
class RecordingTask:
    """A recording to do.

    working: folder for crops until it is known whose they are. crops: where they go in the end; `prefix` is
    that folder as it stands in the table. part_path: where the rows go.
    """

    recording: Recording
    key: str
    working: Path
    crops: Path
    prefix: str
    part_path: Path


@dataclass(frozen=True, eq=False)
class Cut:
    """A face that was cut out. matrix: float64 (2, 3), from the frame's pixels to the crop's."""

    file: str
    score: float
    matrix: NDArray[np.float64]


@dataclass
class _Outcome:
    """What became of the coded rows: cut out, or in a picture that was there."""

    cuts: dict[int, Cut] = field(default_factory=dict)
    there: dict[int, float | None] = field(default_factory=dict)  # row -> seconds
    tracks: int = 0
    decoder: str | None = None
    problem: str | None = None


def set_up(
    config: PrepareConfig, schema: pa.Schema, device: str, threads: int, worker: int
) -> Callable[[RecordingTask, EventHook], ReportEntry]:
    """Load the detector on the device; returns the function that does one recording after the other."""
    torch.set_num_threads(1)  # as in `worker`: the same values on any number of cores
    detector: Detector = make_detector(config.detector, device=device, min_face=config.min_face)
    if device == "cpu":
        detector = ParallelDetector(detector, threads)
    at_once = for_cpu(threads).detections

    def process(task: RecordingTask, send: EventHook) -> ReportEntry:
        start = time.perf_counter()
        recording = task.recording
        send(VideoStarted(recording.name, len(recording), worker))
        _empty_folder(task.working)
        try:
            if recording.pictures is None:
                outcome = _follow(task, config, detector, torch.device(device), at_once=at_once, send=send)
            else:
                outcome = _each_picture(task, config, detector, torch.device(device), send)
            _move(task, outcome)
        finally:
            shutil.rmtree(task.working, ignore_errors=True)
        write_parquet(task.part_path, [_rows(task, outcome, schema)], schema)
        seconds = time.perf_counter() - start
        return replace(
            _entry(task, outcome),
            wall_seconds=round(seconds, 3),
            fps=round(len(recording) / seconds, 2),
        )

    return process


def source_of(recording: Recording) -> Source:
    """The video or folder of a recording, as the decoders know it.

    Raises:
        InputNotFoundError: it is not there.
    """
    path = recording.source
    if path.is_dir():
        return Source(path, recording.name, "image_folder")
    if path.is_file():
        return Source(path, recording.name)
    raise InputNotFoundError(f"{path} does not exist: {recording.name} is expected there")


def _follow(
    task: RecordingTask,
    config: PrepareConfig,
    detector: Detector,
    device: torch.device,
    *,
    at_once: int,
    send: EventHook,
) -> _Outcome:
    """Crops of the main person of a video or a filmed sequence of pictures."""
    recording = task.recording
    source = source_of(recording)
    row_of_place = _places(source, recording)
    outcome, sightings = _Outcome(), Sightings()
    cuts: dict[tuple[int, int], Cut] = {}  # by row and track
    if not row_of_place:
        outcome.problem = "no coded frame is there"
        return outcome
    detect_every = config.detect_every or detect_every_for(_rate(source))
    last_sent = time.perf_counter()
    # Crops are to be the same wherever they are cut, so a GPU decodes only where it is asked to by name.
    backend = "pyav" if config.decoder == "auto" else config.decoder
    with open_decoder(source, decoder=backend, device=str(device)) as decoder:
        frames = prefetch(
            on_device(_between(decoder.frames(), min(row_of_place), max(row_of_place)), device), FRAMES_AHEAD
        )
        try:
            with closing(frames):
                tracked = find_faces(
                    frames, detector, detect_every=detect_every, batch_frames=at_once * detect_every
                )
                for frame, faces in tracked:
                    sightings.add(frame.index, faces)
                    row = row_of_place.get(frame.index)
                    if row is None:
                        continue
                    outcome.there[row] = frame.pts_seconds if source.kind == "video" else None
                    for track, cut in _cut(frame, faces, row, task.working, config.picture_format):
                        cuts[row, track] = cut
                    if time.perf_counter() - last_sent >= _PROGRESS_SECONDS:
                        last_sent = time.perf_counter()
                        send(VideoProgress(recording.name, len(outcome.there)))
        except MediaError as error:
            if not outcome.there:
                raise
            outcome.problem = str(error)
        summary = decoder.summary
    person = sightings.main_person()
    outcome.cuts = {row: cut for (row, track), cut in cuts.items() if track in person}
    outcome.tracks = len(sightings.frames)
    outcome.decoder = summary.decoder
    if len(outcome.there) == len(recording):
        # Decoding ends on purpose after the last coded frame.
        summary = replace(summary, stopped_early=None)
    outcome.problem = outcome.problem or summary.problem
    return outcome


def _places(source: Source, recording: Recording) -> dict[int, int]:
    """Row of each coded frame, by its place among the decoded frames."""
    numbers = recording.frames.tolist()
    if source.kind == "video":
        return {number: row for row, number in enumerate(numbers)}
    place_of = {}
    for place, path in enumerate(folder_pictures(source.path)):
        match = re.search(r"(\d+)$", path.stem)
        assert match is not None  # a folder of numbered pictures
        place_of[int(match[1])] = place
    return {place_of[number]: row for row, number in enumerate(numbers) if number in place_of}


def _between(frames: Iterable[Frame], first: int, last: int) -> Iterator[Frame]:
    for frame in frames:
        if frame.index > last:
            return
        if frame.index >= first:
            yield frame


def _rate(source: Source) -> float | None:
    rate = probe(source).frame_rate
    return None if rate is None else float(rate)


def _cut(
    frame: Frame, faces: Faces, row: int, folder: Path, picture_format: PictureFormat
) -> Iterator[tuple[int, Cut]]:
    """Crops of all faces of a frame, written to the folder of their track."""
    if not len(faces):
        return
    assert faces.tracks is not None
    crops = crop_faces(
        frame.pixels.unsqueeze(0), np.zeros(len(faces), np.int64), faces.landmarks, PREPARED_CROP
    )
    pictures = crops.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    matrices = similarity(faces.landmarks, PREPARED_CROP)
    for place, track in enumerate(faces.tracks.tolist()):
        file = f"{track}-{row:06d}.{picture_format}"
        _write_picture(folder / file, pictures[place])
        yield track, Cut(file, float(faces.scores[place]), matrices[place])


def _each_picture(
    task: RecordingTask, config: PrepareConfig, detector: Detector, device: torch.device, send: EventHook
) -> _Outcome:
    """The largest face of each of a person's pictures."""
    recording = task.recording
    assert recording.pictures is not None
    outcome = _Outcome(decoder="images")
    unreadable: list[str] = []
    last_sent = time.perf_counter()
    for row, name in enumerate(recording.pictures):
        try:
            pixels = torch.from_numpy(read_picture(recording.source / name)).to(device)
        except MediaError as error:
            unreadable.append(str(error))
            continue
        outcome.there[row] = None
        (found,) = detector.detect([pixels])
        sure = found.select(np.flatnonzero(found.scores >= detector.sure_score))
        if len(sure):
            largest = int(np.argmax(sure.boxes[:, 2] * sure.boxes[:, 3]))
            face = sure.select(np.array([largest]))
            one = Faces(face.boxes, face.scores, face.landmarks, np.zeros(1, np.int32))
            frame = Frame(row, row, Fraction(1), pixels)
            outcome.cuts[row] = next(_cut(frame, one, row, task.working, config.picture_format))[1]
        if time.perf_counter() - last_sent >= _PROGRESS_SECONDS:
            last_sent = time.perf_counter()
            send(VideoProgress(recording.name, len(outcome.there)))
    if unreadable and not outcome.there:
        raise MediaError(unreadable[0])
    outcome.problem = unreadable[0] if unreadable else None
    return outcome


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    try:
        if path.suffix == ".jpg":
            # Colours at full resolution, too: lips and skin differ in colour.
            Image.fromarray(picture).save(path, quality=JPEG_QUALITY, subsampling=0)
        else:
            Image.fromarray(picture).save(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _empty_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _move(task: RecordingTask, outcome: _Outcome) -> None:
    """Bring the main person's crops into their folder, which appears whole."""
    keep = {cut.file: row for row, cut in outcome.cuts.items()}
    try:
        for path in task.working.iterdir():
            if path.name not in keep:
                path.unlink()
        for row, cut in outcome.cuts.items():
            file = f"{_number(task.recording, row):06d}{Path(cut.file).suffix}"
            (task.working / cut.file).rename(task.working / file)
            outcome.cuts[row] = replace(cut, file=file)
        shutil.rmtree(task.crops, ignore_errors=True)
        if outcome.cuts:
            task.crops.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(task.working)
            task.working.rename(task.crops)
            sync_folder(task.crops.parent)
    except OSError as error:
        raise cannot_write(task.crops, error) from error


def _number(recording: Recording, row: int) -> int:
    return int(recording.frames[row])


def _rows(task: RecordingTask, outcome: _Outcome, schema: pa.Schema) -> pa.RecordBatch:
    recording = task.recording
    count = len(recording)
    columns: dict[str, Sequence[Any]] = {
        "subject": [recording.subject] * count,
        "video": recording.pictures or [recording.name] * count,
        "frame": [None] * count if recording.pictures else recording.frames.tolist(),
        "time_s": [outcome.there.get(row) for row in range(count)],
        "status": [_status(row, outcome) for row in range(count)],
        "path": [
            f"{task.prefix}/{outcome.cuts[row].file}" if row in outcome.cuts else None for row in range(count)
        ],
        "face_score": [outcome.cuts[row].score if row in outcome.cuts else None for row in range(count)],
        "crop_matrix": [
            outcome.cuts[row].matrix.flatten().tolist() if row in outcome.cuts else None
            for row in range(count)
        ],
        "fold": [recording.fold] * count,
        "split": [recording.split] * count,
    }
    for place, au in enumerate(recording.au_names):
        labels = recording.labels[:, place]
        columns[column_name(au)] = [None if label == MISSING else int(label) for label in labels]
        if recording.intensity is not None:
            values = recording.intensity[:, place]
            columns[f"{column_name(au)}_int"] = [
                None if np.isnan(value) else float(value) for value in values
            ]
    return pa.record_batch(
        [pa.array(columns[field.name], field.type) for field in schema], schema=schema.remove_metadata()
    )


def _status(row: int, outcome: _Outcome) -> str:
    if row in outcome.cuts:
        return "ok"
    return "no_face" if row in outcome.there else "no_picture"


def _entry(task: RecordingTask, outcome: _Outcome) -> ReportEntry:
    recording = task.recording
    coded, there, faces = len(recording), len(outcome.there), len(outcome.cuts)
    reasons = [outcome.problem] if outcome.problem else []
    if there < coded:
        reasons.append(f"{coded - there} of {coded} coded frames are not there or unreadable")
    notes = [f"{there - faces} of {there} coded frames without a face"] if faces < there else []
    shown = Counter({au: int((recording.labels[:, i] == 1).sum()) for i, au in enumerate(recording.au_names)})
    seconds = [time for time in outcome.there.values() if time is not None]
    return ReportEntry(
        recording.name,
        str(recording.source),
        "partial" if reasons else "ok" if faces else "no_face",
        reason="; ".join(reasons) or None,
        subject=recording.subject,
        rows=coded,
        frames=there,
        faces=faces,
        tracks=outcome.tracks,
        duration_seconds=round(max(seconds) - min(seconds), 6) if seconds else 0.0,
        decoder=outcome.decoder,
        top_aus=tuple((au, round(count / coded, 4)) for au, count in shown.most_common(_TOP_AUS) if count),
        notes=tuple(notes),
        key=task.key,
    )
