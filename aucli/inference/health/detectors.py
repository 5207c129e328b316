"""The face detectors, each tried on a picture of the example clip."""

from __future__ import annotations

from aucli.config import DetectorName, ExtractConfig
from aucli.errors import MissingDependencyError
from aucli.faces.detect import make_detector
from aucli.inference.devices import resolve_device
from aucli.inference.health.decoders import first_frames
from aucli.inference.health.finding import Finding, State


def mtcnn(config: ExtractConfig) -> list[Finding]:
    return [_finds_the_face("mtcnn", config)]


def insightface(config: ExtractConfig) -> list[Finding]:
    import cv2  # its wheel needs the system's libGL, which slim containers do not have
    import onnxruntime  # type: ignore[import-untyped]  # it ships no types
    from insightface.model_zoo.scrfd import SCRFD

    from aucli.faces.detect.insightface import find_pack

    details = {"opencv": cv2.__version__, "onnxruntime": onnxruntime.__version__, "network": SCRFD.__name__}
    try:
        pack = find_pack()
    except MissingDependencyError as error:
        state: State = "fail" if config.detector == "insightface" else "warn"
        reason, repair = str(error).removeprefix("--detector insightface: ").split(". ")[:2]
        return [Finding("detectors", "insightface", state, reason, repair, details)]
    return [_finds_the_face("insightface", config, details | {"weights": str(pack)})]


def _finds_the_face(
    name: DetectorName, config: ExtractConfig, details: dict[str, str] | None = None
) -> Finding:
    """What the detector finds in the first picture.

    Raises:
        ValueError: not the one face that it shows.
    """
    device = resolve_device(config.device)[0]
    detector = make_detector(name, device=device)
    picture = first_frames("pyav")[0].pixels
    (faces,) = detector.detect([picture.to(device)])
    if len(faces) != 1:
        raise ValueError(f"finds {len(faces)} faces in a picture of the example clip, which shows one")
    score = float(faces.scores[0])
    return Finding(
        "detectors",
        name,
        "ok",
        f"{detector.version}: finds the face of the example clip",
        details={"version": detector.version, "device": device, "score": score} | (details or {}),
    )
