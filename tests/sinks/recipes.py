"""Rows of made-up videos with a known truth, and a whole small run over them."""

import hashlib
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from aucli.datatypes import Faces
from aucli.sinks.metadata import output_metadata
from aucli.sinks.place import output_place
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.rows import Rows, rows_to_batch
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.sinks.schema import output_schema
from aucli.sinks.spool import Spool

AUS = ("AU12", "AU1", "AU12R", "AU12L", "AU4")
SCHEMA = output_schema(AUS)
FACTS = {
    "version": "0.1.0",
    "config": {"model": "builtin", "detect_every": 1},
    "card": {"name": "builtin", "sha256": "ab" * 32, "thresholds": {"AU12": 0.5}},
    "detector": {"name": "mtcnn", "min_face": 40},
    "crop": {"size": 112, "scale": 0.9, "shift_y": -0.1},
    "machine": {"architecture": "x86_64", "devices": ["cpu"]},
    "versions": {"torch": "2.15.0"},
    "command_line": ["aucli", "extract", "videos", "-o", "out.parquet"],
    "citations": ["Luo et al., IJCAI 2022"],
    "valid_rule": "score at least 0.9",
}


def make_rows(seed, frames=30, first_frame=0, au_names=AUS, faces_in_frame=None):
    """Frames at 25 per second with 0 to 3 faces each (or as many as the list says)."""
    rng = np.random.default_rng([seed, first_frame])
    counts = rng.integers(0, 4, frames) if faces_in_frame is None else np.array(faces_in_frame, int)
    frames = len(counts)
    repeats = np.maximum(counts, 1)
    frame_indices = np.repeat(np.arange(first_frame, first_frame + frames, dtype=np.int32), repeats)
    faces = int(counts.sum())
    probabilities = rng.random((faces, len(au_names)), np.float32)
    return Rows(
        frame_indices=frame_indices,
        pts_seconds=frame_indices / 25.0,
        has_face=np.repeat(counts > 0, repeats),
        faces=Faces(
            boxes=rng.uniform(0, 300, (faces, 4)).astype(np.float32),
            scores=rng.random(faces, np.float32),
            landmarks=rng.uniform(0, 300, (faces, 5, 2)).astype(np.float32),
            tracks=np.array([track for count in counts for track in range(count)], np.int32),
        ),
        pose_degrees=rng.uniform(-40, 40, (faces, 3)).astype(np.float32),
        sharpness=rng.random(faces, np.float32),
        valid=rng.random(faces) < 0.8,
        probabilities=probabilities,
        occurrences=probabilities >= 0.5,
        au_names=au_names,
    )


def key_of(video, salt=""):
    return hashlib.sha256(f"{video}{salt}".encode()).hexdigest()[:16]


class AnyIdentity(dict):
    """Of each made-up video the same content."""

    def __missing__(self, key):
        return {"size": 1, "samples_sha256": "cd" * 32}


def describe(schema=SCHEMA):
    return partial(output_metadata, schema, identities=AnyIdentity(), **FACTS)


def finish_video(run, video, seed, *, frames=30, chunks=3, schema=SCHEMA, salt="", subject=None):
    """What a worker does for one video: spool, part; then the commit. Returns its entry."""
    key = key_of(video, salt)
    spool = Spool(run.spool_path(key), schema)
    faces = 0
    for chunk in range(chunks):
        rows = make_rows(seed, frames=frames // chunks, first_frame=chunk * (frames // chunks))
        faces += len(rows.faces)
        spool.write(rows_to_batch(schema, rows, video=video, subject=subject))
        spool.flush()
    spool.finish(run.part_path(key))
    return run.commit(
        ReportEntry(
            video,
            f"videos/{video}",
            "ok",
            subject=subject,
            rows=spool.rows,
            frames=frames,
            faces=faces,
            tracks=3,
            duration_seconds=frames / 25,
            wall_seconds=0.5,
            fps=frames / 0.5,
            decoder="pyav",
            top_aus=(("AU12", 0.5),),
            key=key,
        )
    )


def report_of(entries, output, **values):
    fields = {
        "command_line": ("aucli", "extract"),
        "started": "2026-11-20T15:00:00+00:00",
        "finished": "2026-11-20T15:00:02+00:00",
        "wall_seconds": 2.0,
    }
    return Report(tuple(entries), output and str(output), **{**fields, **values})


def small_run(output, videos, *, schema=SCHEMA, salt="", fresh=False, failing=(), log=None, **options):
    """A whole run over `{video: seed}`; returns the entries. `log` gets a line per video really done."""
    place = output_place(output)
    with RunFolder(place, schema, describe(schema), fresh=fresh) as run:
        finished = run.plan([PlannedInput(video, f"videos/{video}", key_of(video, salt)) for video in videos])
        entries = []
        for video, seed in videos.items():
            entry = finished.get(key_of(video, salt))
            if entry is None:
                if log is not None:
                    with Path(log).open("a") as file:
                        file.write(f"{video}\n")
                if video in failing:
                    entry = run.commit(
                        ReportEntry(
                            video, f"videos/{video}", "failed", "cannot be opened", key=key_of(video, salt)
                        )
                    )
                else:
                    entry = finish_video(run, video, seed, schema=schema, salt=salt, **options)
            entries.append(entry)
        output_path = run.merge(entries)
        run.finish(report_of(entries, output_path))
    return entries


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def stamps(folder):
    """Of each file what tells whether it was written again."""
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def planned(videos, salt=""):
    return [PlannedInput(video, f"videos/{video}", key_of(video, salt)) for video in videos]


def opened(output, schema=SCHEMA, **options):
    return RunFolder(output_place(output), schema, describe(schema), **options)


def interrupt_after(output, videos, count, **options):
    """A run that ends by an error after `count` videos."""
    with suppress(KeyboardInterrupt), opened(output) as run:
        run.plan(planned(videos))
        for video in list(videos)[:count]:
            finish_video(run, video, videos[video], **options)
        raise KeyboardInterrupt
