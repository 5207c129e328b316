import pytest
import torch

from aucli.faces.detect import make_detector
from aucli.faces.detect.mtcnn import MTCNNDetector


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks: two threads are slower than one where something else is running."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mtcnn() -> MTCNNDetector:
    detector = make_detector("mtcnn", min_face=40)
    assert isinstance(detector, MTCNNDetector)
    return detector
