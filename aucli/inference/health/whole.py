"""The proof: what `extract` does to a video, on the first pictures of the example clip."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from aucli.config import ExtractConfig
from aucli.inference.devices import resolve_device
from aucli.inference.health.decoders import example_clip
from aucli.inference.health.finding import Finding
from aucli.inference.task import VideoTask
from aucli.inference.worker import set_up
from aucli.sinks.schema import output_schema
from aucli.zoo.catalogue import find


def extract(config: ExtractConfig) -> list[Finding]:
    """Decoder, detector, network and Parquet together, with the model and the settings in force.

    Raises:
        AucliError: what `extract` itself would say.
        ValueError: it ran and the rows are not what the clip must give.
    """
    card = find(config.model).card
    device = resolve_device(config.device)[0]
    with TemporaryDirectory(prefix="aucli-doctor-") as folder, example_clip() as clip:
        part = Path(folder, "part.parquet")
        # Its own settings for frames would only make the trial longer or leave nothing of the clip.
        short = replace(config, selection=ExtractConfig().selection)
        schema = output_schema(
            card.written_aus,
            intensity_aus=card.intensity_aus,
            with_probabilities=card.probabilities,
            with_occurrences=card.gives_occurrences,
        )
        process = set_up(short, schema, device, 1, 0)
        start = time.perf_counter()
        entry = process(
            VideoTask(replace(clip, end_seconds=0.1), "doctor", Path(folder, "spool"), part), lambda _: None
        )
        seconds = time.perf_counter() - start
        if not entry.faces:
            raise ValueError(f"no face in the example clip: {entry.reason or entry.status}")
        rows = pq.read_table(part)
    ending, top = ("_prob", 1) if card.probabilities else ("_int", 5)
    values = [rows[name].to_numpy() for name in rows.schema.names if name.endswith(ending)]
    if not values or not all(((column >= 0) & (column <= top)).all() for column in values):
        raise ValueError(f"{card.name} gives values that are not 0 to {top}")
    text = f"{card.name} on {device}: {entry.frames} frames to {rows.num_rows} rows in {seconds:.1f} s"
    details = {
        "model": card.name,
        "device": device,
        "detector": config.detector,
        "decoder": entry.decoder,
        "frames": entry.frames,
        "faces": entry.faces,
        "aus": len(values),
        "seconds": round(seconds, 3),
    }
    return [Finding("extract", "trial", "ok", text, details=details)]
