"""Made-up results to draw: one or several faces at known places, with known probabilities."""

import numpy as np

from aucli.datatypes import Faces
from aucli.faces.align import TEMPLATE
from aucli.sinks.draw.legend import Legend
from aucli.sinks.frames import FrameResult
from aucli_models.au import AU_SETS

AUS = AU_SETS["synth"]
LEGEND = Legend.of(AUS, dict.fromkeys(AUS, 0.5), weak_aus=("AU38", "AU39"))


def face_result(index, seconds, boxes, active=None, tracks=None, valid=True):
    """A frame with faces in these boxes (left, top, width, height).

    active: probability by AU name, the same for all faces; of all others it is 0.02.
    """
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    # The box is about as wide as two eye distances; the template stands in the middle of it.
    corner, side = boxes[:, None, :2], boxes[:, None, 2:3]
    landmarks = ((TEMPLATE[None] - [0.5, 0.45]) * 1.5 * side + corner + boxes[:, None, 2:] / 2).astype(
        np.float32
    )
    probabilities = np.full((len(boxes), len(AUS)), 0.02, np.float32)
    for au, value in (active or {}).items():
        probabilities[:, AUS.index(au)] = value
    faces = Faces(
        boxes,
        np.ones(len(boxes), np.float32),
        landmarks,
        np.arange(len(boxes), dtype=np.int32) if tracks is None else np.array(tracks, np.int32),
    )
    return FrameResult(index, seconds, faces, probabilities, probabilities >= 0.5, np.full(len(boxes), valid))
