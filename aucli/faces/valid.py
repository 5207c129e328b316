"""The one rule by which a row counts as `valid`, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Faces


@dataclass(frozen=True)
class ValidityRule:
    """A face is valid if all of these hold; what is not known is not valid."""

    smallest_side_pixels: float = 48.0  # the shorter side of the box
    largest_yaw_degrees: float = 45.0
    largest_pitch_degrees: float = 40.0  # wide: a broad smile reads as 10 to 15 degrees of looking down
    # and the score is at least `Detector.sure_score`, and all five landmarks lie in the picture

    def __str__(self) -> str:
        return (
            "score at least the detector's sure score (mtcnn 0.9, insightface 0.65), shorter side of "
            f"the box at least {self.smallest_side_pixels:g} pixels, yaw within "
            f"{self.largest_yaw_degrees:g} and pitch within {self.largest_pitch_degrees:g} degrees of "
            "straight ahead, all five landmarks in the picture"
        )


RULE = ValidityRule()
VALID_RULE = str(RULE)  # for the metadata of the output


def valid(
    faces: Faces, pose: NDArray[np.floating], width: int, height: int, *, sure_score: float = 0.9
) -> NDArray[np.bool_]:
    """Which faces meet `RULE`: bool (faces,).

    pose: (faces, 3), yaw, pitch, roll in degrees, from `aucli.faces.quality.pose_degrees`.
    width, height: of the picture, in pixels.
    sure_score: of the detector that found the faces; the default is MTCNN's.
    """
    points = faces.landmarks.reshape(-1, 5, 2)
    judged: NDArray[np.bool_] = (
        (faces.scores >= sure_score)
        & (np.minimum(faces.boxes[:, 2], faces.boxes[:, 3]) >= RULE.smallest_side_pixels)
        & (np.abs(pose[:, 0]) <= RULE.largest_yaw_degrees)
        & (np.abs(pose[:, 1]) <= RULE.largest_pitch_degrees)
        & ((points >= 0) & (points <= np.array([width - 1, height - 1]))).all(axis=(1, 2))
    )
    return judged
