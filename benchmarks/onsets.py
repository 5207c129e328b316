"""How many frames are the tool's onsets and offsets from the rendered ones, in the clips of synthfaces?

The clips go through `extract` and `events` with their defaults. A rendered event is a stretch of frames with
an intensity of 2 or more; the event found is the one that overlaps it most. Results are per event; what was
found without a rendered event is counted too.

    python benchmarks/onsets.py ../shared/synthfaces/mini [--model builtin]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from machine import save

import aucli
from aucli.sinks.tables.analysis import Analysis
from aucli.sinks.tables.events import event_table
from aucli.zoo.catalogue import find

AUS = ("AU6", "AU12", "AU25", "AU1", "AU2", "AU5", "AU43")
ALLOWED_FRAMES = 4


def rendered_events(labels, au):
    """First and last frame of each stretch in which the AU occurs."""
    on = labels.sort_values("frame")[f"{au}_occ"].to_numpy() > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on, [0]]).astype(int)))
    return [(start, stop - 1) for start, stop in edges.reshape(-1, 2).tolist()]


def face_of_track(rows, labels):
    """Number of the rendered face whose box the track's boxes lie nearest to."""
    joined = rows.merge(labels[["frame", "face", "x0", "x1"]], on="frame")
    away = (joined["face_x"] + joined["face_w"] / 2 - (joined["x0"] + joined["x1"]) / 2).abs()
    return int(away.groupby(joined["face"]).median().idxmin())


def of_clip(clip, model):
    labels = pd.read_csv(clip.with_suffix(".csv"))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.parquet"
        rows = aucli.extract([clip], output=output, model=model).table.to_pandas()
        events = event_table(Analysis(output)).to_pandas()
    entries = []
    events = events[events["measure"] == "probability"]
    for track, of_track in rows[rows["track"].notna()].groupby("track"):
        face = labels[labels["face"] == face_of_track(of_track, labels)]
        for au in AUS:
            found = events[
                events["track"].eq(track) & events["au"].eq(au) & events["measure"].eq("probability")
            ]
            left = found[["onset_frame", "last_frame"]].to_numpy().tolist()
            for first, last in rendered_events(face, au):
                overlaps = [min(last, stop) - max(first, start) for start, stop in left]
                entry = {"clip": clip.name, "track": int(track), "au": au, "onset": first, "last": last}
                if overlaps and max(overlaps) >= 0:
                    start, stop = left.pop(int(np.argmax(overlaps)))
                    entry |= {"onset_frames_late": start - first, "offset_frames_late": stop - last}
                entries.append(entry)
            entries += [
                {"clip": clip.name, "track": int(track), "au": au, "not_rendered": [start, stop]}
                for start, stop in left
            ]
    return entries


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the clips and their CSV files")
    parser.add_argument("--model", default="builtin")
    args = parser.parse_args()
    entries = [entry for clip in sorted(args.data.glob("*.mp4")) for entry in of_clip(clip, args.model)]
    rendered = [entry for entry in entries if "onset" in entry]
    found = [entry for entry in rendered if "onset_frames_late" in entry]
    away = [abs(entry[which]) for entry in found for which in ("onset_frames_late", "offset_frames_late")]
    save(
        "onsets",
        {
            "model": args.model,
            "sha256": find(args.model).card.sha256,
            "rendered": len(rendered),
            "found": len(found),
            "within_4_frames": sum(frames <= ALLOWED_FRAMES for frames in away) / (2 * len(rendered)),
            "median_frames": float(np.median(away)),
            "not_rendered": len(entries) - len(rendered),
            "events": entries,
        },
    )


if __name__ == "__main__":
    main()
