"""One clip through the pipeline in this process, as plain arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.inference.pipeline import analyse
from aucli.media.decode import open_decoder

EXAMPLES = Path(__file__).parents[2] / "aucli" / "examples"


@dataclass
class Analysed:
    frames: np.ndarray
    times: np.ndarray
    has_face: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    probabilities: np.ndarray
    valid: np.ndarray
    pose: np.ndarray
    sharpness: np.ndarray


def analysed(path, detector, predictor, config=None, threaded=True, **options):
    config = config or ExtractConfig()
    with open_decoder(Source(Path(path), Path(path).name), config.selection, config.decoder) as decoder:
        chunks = list(analyse(decoder, detector, predictor, config, threaded=threaded, **options))
    rows = [chunk.rows for chunk in chunks]
    return Analysed(
        np.concatenate([r.frame_indices for r in rows]),
        np.concatenate([r.pts_seconds for r in rows]),
        np.concatenate([r.has_face for r in rows]),
        np.concatenate([r.faces.tracks for r in rows]),
        np.concatenate([r.faces.boxes for r in rows]),
        np.concatenate([r.faces.landmarks for r in rows]),
        np.concatenate([r.probabilities for r in rows]),
        np.concatenate([r.valid for r in rows]),
        np.concatenate([r.pose_degrees for r in rows]),
        np.concatenate([r.sharpness for r in rows]),
    )
