"""Face detectors: one protocol, one file each, chosen by name.

`mtcnn` is the default: the detector of the original papers, its MIT weights come with a dependency,
it runs on any device. `insightface` (SCRFD) needs weights that the user brings.

To add another: write `aucli/faces/detect/<name>.py` with a class that has the attributes and the two
methods of `protocol.Detector`; import its heavy packages at the top of that file and nowhere else;
raise `MissingDependencyError` with what to install when one is not there; add the name to
`aucli.config.DetectorName` and a branch below; compare it in `tests/faces` with an implementation
that is not ours.
"""

from __future__ import annotations

from typing import get_args

from aucli.config import DetectorName
from aucli.errors import UsageError
from aucli.faces.detect.protocol import Detector

__all__ = ["Detector", "make_detector"]


def make_detector(name: DetectorName, *, device: str = "cpu", min_face: int = 40) -> Detector:
    """The detector of this name; there is no silent second choice.

    min_face: pixels, side of the smallest face looked for.

    Raises:
        UsageError: no detector has this name.
        MissingDependencyError: its package, a system library or its weights are not there.
    """
    if name == "mtcnn":
        from aucli.faces.detect.mtcnn import MTCNNDetector

        return MTCNNDetector(device=device, min_face=min_face)
    if name == "insightface":
        from aucli.faces.detect.insightface import InsightFaceDetector

        return InsightFaceDetector(device=device, min_face=min_face)
    raise UsageError(f"--detector {name!r}: choose one of {', '.join(get_args(DetectorName))}")
