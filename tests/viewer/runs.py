"""A run with a known truth over real clips, written as `extract` writes it, and its server."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import av
import numpy as np

from aucli.datatypes import Faces
from aucli.sinks.atomic import write_json
from aucli.sinks.identity import content_identity, input_identity
from aucli.sinks.metadata import output_metadata
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.rows import Rows, rows_to_batch
from aucli.sinks.schema import output_schema
from aucli.viewer.server import PageServer
from aucli.zoo.catalogue import find

CARD = find("builtin").card
AUS = CARD.au_names
FACTS = {
    "version": "0.1.0",
    "config": {},
    "card": CARD.to_json(),
    "detector": {},
    "crop": {},
    "machine": {},
    "versions": {},
    "command_line": None,
    "citations": [],
    "valid_rule": "",
}


@dataclass(frozen=True)
class Clip:
    """A video of the run.

    track_frames: per track the frames in which it is seen, None: in all. times: of its frames, where they are
    not those of the file. moved: the report names another place.
    """

    path: object
    track_frames: dict
    probability: object  # (frame, track, au) -> float
    times: list | None = None
    moved: str | None = None


def times_of(path):
    """Presentation times of a video's frames, by PyAV alone."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def box_of(track):
    return [40.0 + 130 * track, 60.0, 80.0, 100.0]


def rows_of(times, track_frames, probability):
    frames, has_face, tracks = [], [], []
    for frame in range(len(times)):
        here = sorted(track for track, seen in track_frames.items() if seen is None or frame in seen)
        frames += [frame] * max(1, len(here))
        has_face += [True] * len(here) or [False]
        tracks += here
    faces = len(tracks)
    face_frames = [frame for frame, has in zip(frames, has_face, strict=True) if has]
    values = np.array(
        [
            [probability(frame, track, au) for au in AUS]
            for frame, track in zip(face_frames, tracks, strict=True)
        ],
        np.float32,
    ).reshape(faces, len(AUS))
    thresholds = np.array([CARD.thresholds[au] for au in AUS], np.float32)
    return Rows(
        frame_indices=np.array(frames, np.int32),
        pts_seconds=np.array([times[frame] for frame in frames], np.float64),
        has_face=np.array(has_face, bool),
        faces=Faces(
            np.array([box_of(track) for track in tracks], np.float32).reshape(faces, 4),
            np.full(faces, 0.99, np.float32),
            np.zeros((faces, 5, 2), np.float32),
            np.array(tracks, np.int32),
        ),
        pose_degrees=np.zeros((faces, 3), np.float32),
        sharpness=np.ones(faces, np.float32),
        valid=np.ones(faces, bool),
        probabilities=values,
        occurrences=values >= thresholds,
        au_names=AUS,
    )


def write_run(output, clips, failed=()):
    """out.parquet with its report; clips by the name they have in it, failed: entries without rows."""
    schema = output_schema(AUS)
    batches, entries, identities = [], [], {}
    for number, (name, clip) in enumerate(clips.items()):
        times = clip.times or times_of(clip.path)
        rows = rows_of(times, clip.track_frames, clip.probability)
        batches.append(rows_to_batch(schema, rows, video=name))
        key = f"{number:016x}"
        identities[key] = content_identity(input_identity(clip.path))
        entries.append(
            ReportEntry(
                name,
                clip.moved or str(clip.path),
                "ok" if len(rows.faces) else "no_face",
                rows=len(rows),
                frames=len(times),
                faces=len(rows.faces),
                tracks=len(clip.track_frames),
                duration_seconds=times[-1] - times[0],
                key=key,
            )
        )
    metadata = output_metadata(schema, entries, identities=identities, **FACTS)
    write_parquet(output, batches, schema, metadata=metadata)
    write_json(
        output.with_suffix(".report.json"),
        Report((*entries, *failed), str(output), None, "", "", 1.0).to_json(),
    )
    return output


@contextmanager
def served(pages):
    """A server of the pages in a thread."""
    with PageServer(pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def unpack(content):
    """What `packed` made: the header, and the arrays by name."""
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    arrays = {}
    for name, about in header["arrays"].items():
        kind = np.dtype("<" + about["type"] if about["type"] != "u1" else "u1")
        count = int(np.prod(about["shape"]))
        start = 4 + length + about["offset"]
        assert about["offset"] % 8 == 0
        assert (4 + length) % 8 == 0
        arrays[name] = np.frombuffer(content, kind, count, start).reshape(about["shape"])
    return header, arrays
