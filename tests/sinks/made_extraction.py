"""Extractions whose courses are known, written as `extract` writes them."""

import json

import numpy as np
import pyarrow as pa

from aucli.sinks.metadata import output_metadata
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.schema import column_name, output_schema

CARD = {
    "name": "made.by_hand",
    "sha256": "ab" * 32,
    "system": "me_graphau",
    "backbone": "resnet10_small",
    "stage": 2,
    "fold": None,
    "licence": "MIT",
    "training_data": "Nothing.",
    "description": "For tests.",
    "calibration": {},
    "weak_aus": ["AU4"],
    "notes": [],
}
CITATIONS = ("Luo et al., Learning & drawing graphs, IJCAI 2022", "A talk in {Rome}")


def write_extraction(
    path,
    videos,
    *,
    aus=("AU4", "AU12", "AU12L"),
    intensity_aus=(),
    probabilities=True,
    thresholds=None,
    report=True,
    **card,
):
    """Videos: name -> {"times": [...], "subject": "P1", "tracks": {0: {"AU12": [...], "AU12_int": [...]}}}.

    A NaN is null in the file; a track is not seen in a frame in which it has only NaN. `valid` may
    stand among the values. An AU that is not named is 0 everywhere. Without `probabilities` it is of a model
    that gives intensities alone.
    """
    with_subject = any("subject" in video for video in videos.values())
    given = {"with_probabilities": probabilities, "with_occurrences": probabilities}
    schema = output_schema(aus, intensity_aus=intensity_aus, with_subject=with_subject, **given)
    batches, entries = [], []
    for name, video in videos.items():
        rows = list(_rows(name, video, aus, intensity_aus))
        batches.append(pa.RecordBatch.from_pylist(rows, schema=schema))
        entries.append(
            ReportEntry(
                name,
                f"videos/{name}",
                video.get("status", "ok"),
                subject=video.get("subject"),
                rows=len(rows),
                frames=len(video["times"]),
                tracks=len(video["tracks"]),
                decoder="pyav",
                key=f"key of {name}",
            )
        )
    whole_card = CARD | {
        "thresholds": dict.fromkeys(aus, 0.5) | (thresholds or {}),
        "intensity_aus": list(intensity_aus),
    }
    if not probabilities:
        whole_card |= {"thresholds": {}, "probabilities": False, "intensity": True}
    metadata = output_metadata(
        schema,
        entries,
        identities={entry.key: {"size": 1, "samples_sha256": "cd" * 32} for entry in entries},
        version="0.1.0",
        config={"selection": {"every": 1, "fps": None, "start_seconds": None, "end_seconds": None}},
        card=whole_card | card,
        detector={"name": "mtcnn", "min_face": 40, "detect_every": "auto"},
        crop={"size": 112, "scale": 0.9, "shift_y": -0.1},
        machine={"architecture": "x86_64"},
        versions={"torch": "2.15.0"},
        command_line=["aucli", "extract", "videos", "-o", "out.parquet"],
        citations=CITATIONS,
        valid_rule="score at least 0.9",
    )
    write_parquet(path, batches, schema, metadata=metadata)
    if report:
        failed = ReportEntry("gone.mp4", "videos/gone.mp4", "failed", reason="is a text file, not a video")
        whole = Report(
            (*entries, failed), str(path), ("aucli",), "2026-11-20T15:00:00", "2026-11-20T15:00:09", 9.0
        )
        path.with_suffix(".report.json").write_text(json.dumps(whole.to_json()))
    return path


def _rows(name, video, aus, intensity_aus):
    for frame, seconds in enumerate(video["times"]):
        fixed = {"video": name, "subject": video.get("subject"), "frame": frame, "time_s": float(seconds)}
        seen = 0
        for number, values in video["tracks"].items():
            here = {au: float(course[frame]) for au, course in values.items() if au != "valid"}
            if np.isnan(list(here.values())).all():
                continue
            seen += 1
            valid = bool(values["valid"][frame]) if "valid" in values else True
            row = fixed | {"track": number, "valid": valid}
            for au in aus:
                value = here.get(au, 0.0)
                row[f"{column_name(au)}_prob"] = None if np.isnan(value) else value
                row[column_name(au)] = None if np.isnan(value) else value >= 0.5
            for au in intensity_aus:
                row[f"{column_name(au)}_int"] = here.get(f"{au}_int", 0.0)
            yield row
        if not seen:
            yield fixed
