"""SCRFD through the insightface package, with weights that the user has; nothing is downloaded.

J. Guo et al., "Sample and computation redistribution for efficient face detection", ICLR 2022. The
package takes one picture at a time on the host. It is imported only when this detector is chosen: it
needs OpenCV, and that a system library (libGL) which slim containers do not have.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import Faces
from aucli.errors import MissingDependencyError

logger = logging.getLogger(__name__)

SMALLEST_ANCHOR = 16  # pixels, the smallest face that SCRFD is trained for, after resizing
SIZE_STEP = 32  # its input sides are multiples of its coarsest stride


def find_pack() -> Path:
    """The detection network among the packs that the user has.

    Looked for as `models/<pack>/det_*.onnx` or `scrfd_*.onnx` under `INSIGHTFACE_HOME`, else
    `~/.insightface`. `INSIGHTFACE_HOME` may also name the .onnx file itself. Of several, the one in
    `buffalo_l` (the package's own default), else the first by name.

    Raises:
        MissingDependencyError: there is none; says what to put where.
    """
    home = Path(os.environ.get("INSIGHTFACE_HOME") or "~/.insightface").expanduser()
    if home.is_file():
        return home
    found = [*home.glob("models/*/det_*.onnx"), *home.glob("models/*/scrfd_*.onnx")]
    if not found:
        raise MissingDependencyError(
            f"--detector insightface: no SCRFD weights in {home / 'models'}. Get a pack such as buffalo_l "
            f"from https://github.com/deepinsight/insightface and put its file det_10g.onnx into "
            f"{home / 'models' / 'buffalo_l'}, or set INSIGHTFACE_HOME. Those weights are for non-commercial "
            f"research only, which is why aucli does not fetch them. --detector mtcnn needs nothing"
        )
    chosen = min(found, key=lambda path: (path.parent.name != "buffalo_l", str(path)))
    if len(found) > 1:
        logger.info("insightface: using %s, one of %d packs", chosen, len(found))
    return chosen


def input_size(width: int, height: int, min_face: int) -> tuple[int, int]:
    """Width and height that the network is given: a face of `min_face` pixels comes to 16 pixels.

    Never larger than the picture, rounded up to multiples of 32.
    """
    scale = min(1.0, SMALLEST_ANCHOR / min_face)
    across, down = (SIZE_STEP * -(-round(side * scale) // SIZE_STEP) for side in (width, height))
    return across, down


def to_faces(boxes: NDArray[np.floating], landmarks: NDArray[np.floating]) -> Faces:
    """SCRFD's answer as ours.

    boxes: (faces, 5), left, top, right, bottom, score; landmarks: (faces, 5, 2), in our order.
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    corners = boxes[order].astype(np.float32)
    size = corners[:, 2:4] - corners[:, :2]
    return Faces(
        np.concatenate([corners[:, :2], size], axis=1), corners[:, 4], landmarks[order].astype(np.float32)
    )


class InsightFaceDetector:
    """`Detector`; see `protocol.Detector` for what the methods promise. It cannot re-fit."""

    name = "insightface"
    can_refit = False
    sure_score = 0.65  # SCRFD's scores of clear faces begin here, and what it reports at 0.5

    def __init__(self, *, device: str = "cpu", min_face: int = 40) -> None:
        path = find_pack()
        try:
            # Else onnxruntime 1.31 writes an identity of its own into the user's cache as it is imported.
            os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
            import onnxruntime  # type: ignore[import-untyped]  # it ships no types
            from insightface.model_zoo.scrfd import SCRFD
        except ImportError as error:
            raise MissingDependencyError(
                f"--detector insightface cannot be loaded ({error}). If that names libGL or libgthread: "
                "apt-get install libgl1 libglib2.0-0, or the like; otherwise: pip install insightface "
                "onnxruntime. --detector mtcnn needs neither"
            ) from error
        providers = ["CPUExecutionProvider"]
        if device.startswith("cuda"):
            if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
                index = int(device.partition(":")[2] or 0)
                providers.insert(0, ("CUDAExecutionProvider", {"device_id": index}))  # type: ignore[arg-type]
            else:
                logger.warning(
                    "insightface runs on the CPU: this onnxruntime has no CUDA; pip uninstall onnxruntime, "
                    "then pip install 'onnxruntime-gpu[cuda,cudnn]'"
                )
        session = onnxruntime.InferenceSession(str(path), providers=providers)
        self._network: Any = SCRFD(model_file=str(path), session=session)
        if not self._network.use_kps:
            raise MissingDependencyError(
                f"--detector insightface: {path} gives no landmarks, which alignment needs; use a detector "
                "with key points, such as det_10g.onnx of the pack buffalo_l"
            )
        self._min_face = min_face
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.version = f"insightface {path.parent.name}/{path.name}, sha256 {digest[:16]}"

    def detect(self, pictures: Sequence[Tensor]) -> list[Faces]:
        """See `Detector.detect`."""
        found = []
        for picture in pictures:
            height, width, _ = picture.shape
            size = input_size(width, height, self._min_face)
            blue_first = picture.flip(-1).cpu().numpy()  # OpenCV's order
            found.append(to_faces(*self._network.detect(blue_first, input_size=size)))
        return found

    def refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """Not offered: SCRFD has no stage that looks at one face.

        Raises:
            NotImplementedError: always; `can_refit` says so beforehand.
        """
        raise NotImplementedError("SCRFD cannot re-fit a box; look at Detector.can_refit first")
