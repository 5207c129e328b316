"""What is scored: a model's outputs for faces, beside their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import check_array


@dataclass(frozen=True, eq=False)
class Sample:
    """Faces that a model has seen, row by row; columns as `au_names`.

    outputs: float32 (faces, AUs), as the network gives them, 0 to 1; of a network that gives intensities
        alone a fifth of them, and so `probabilities` and all thresholds. probabilities: float32 (faces, AUs),
        calibrated as the card says; the outputs themselves where it has no calibration.
    occurrences: bool (faces, AUs), probability at or above the card's threshold.
    thresholds: float32 (AUs,), the card's, on the probabilities.
    protocol_threshold: from which output the protocol says that an AU is present.
    labels: int8 (faces, AUs), 1, 0 or `MISSING`. subjects: person in each face.
    intensities, measured: float32 (faces, AUs), 0 to 5, as the network gives them and as they were coded, NaN
        where there is none; None where the network or the labels have none at all.
    """

    au_names: tuple[str, ...]
    outputs: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    occurrences: NDArray[np.bool_]
    thresholds: NDArray[np.float32]
    labels: NDArray[np.int8]
    subjects: tuple[str, ...]
    intensities: NDArray[np.float32] | None = None
    measured: NDArray[np.float32] | None = None
    protocol_threshold: float = 0.5

    def __post_init__(self) -> None:
        shape = (len(self.subjects), len(self.au_names))
        given: list[tuple[str, Any, str]] = [
            ("outputs", self.outputs, "float32"),
            ("probabilities", self.probabilities, "float32"),
            ("occurrences", self.occurrences, "bool"),
            ("labels", self.labels, "int8"),
        ]
        for name in ("intensities", "measured"):
            if getattr(self, name) is not None:
                given.append((name, getattr(self, name), "float32"))
        for name, array, dtype in given:
            check_array(f"Sample.{name}", array, shape, dtype)
        check_array("Sample.thresholds", self.thresholds, shape[1:], "float32")

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def calibrated(self) -> bool:
        """Whether the card decides otherwise than the protocol does on the network's output."""
        same = np.array_equal(self.outputs, self.probabilities)
        return not (same and bool(np.allclose(self.thresholds, self.protocol_threshold)))
