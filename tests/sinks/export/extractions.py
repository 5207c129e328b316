"""Finished extractions with a known truth, written as `extract` writes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from aucli.sinks.metadata import output_metadata
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.schema import output_schema
from tests.sinks.recipes import FACTS, AnyIdentity, key_of, make_rows

AUS = ("AU12", "AU1", "AU4", "AU43", "AU28", "AU12L", "AU12R")
INTENSITY_AUS = ("AU12", "AU4")
# 0, 1, 2 or 3 faces in a frame; the first and the last frame have none.
FACES = [0, 1, 1, 2, 3, 0, 1, 2, 2, 0]
CARD = {
    "name": "study_model",
    "sha256": "ab" * 32,
    "licence": "MIT",
    "training_data": "made-up faces",
    "thresholds": dict.fromkeys(AUS, 0.5),
    "weak_aus": ["AU4"],
}


def rows_with(seed=1, faces=FACES, intensity_aus=INTENSITY_AUS, au_names=AUS, **values):
    """Rows as `make_rows` gives them, with intensities, an unknown probability, and what is named."""
    rows = make_rows(seed, faces_in_frame=faces, au_names=au_names)
    rng = np.random.default_rng(seed)
    if intensity_aus:
        intensities = rng.uniform(0, 5, (len(rows.faces), len(intensity_aus))).astype(np.float32)
        rows = replace(rows, intensities=intensities, intensity_aus=intensity_aus)
    if len(rows.faces):
        rows.probabilities[0, 0] = np.nan
    return replace(rows, **values)


def extraction(path, videos, *, subjects=None, identities=None, card=CARD, intensity_aus=INTENSITY_AUS):
    """One Parquet file with the rows of `{name: Rows}`; returns its path."""
    path = Path(path)
    au_names = next(iter(videos.values())).au_names
    schema = output_schema(au_names, intensity_aus=intensity_aus, with_subject=bool(subjects))
    entries = [
        ReportEntry(
            name, f"videos/{name}", "ok", subject=(subjects or {}).get(name), rows=len(rows), key=key_of(name)
        )
        for name, rows in videos.items()
    ]
    known = {key_of(name): identity for name, identity in (identities or {}).items()}
    metadata = output_metadata(schema, entries, identities=AnyIdentity(known), **(FACTS | {"card": card}))
    batches = [
        rows_to_batch(schema, rows, video=name, subject=(subjects or {}).get(name))
        for name, rows in videos.items()
    ]
    write_parquet(path, batches, schema, metadata=metadata)
    return path
