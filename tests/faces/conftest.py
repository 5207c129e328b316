import pytest

from aucli.faces.detect import make_detector
from aucli.faces.detect.mtcnn import MTCNNDetector


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread):
    """Small networks: two threads are slower than one where something else is running."""


@pytest.fixture(scope="session")
def mtcnn() -> MTCNNDetector:
    detector = make_detector("mtcnn", min_face=40)
    assert isinstance(detector, MTCNNDetector)
    return detector
