"""The networks of the default command, loaded once for all tests of this room."""

import pytest

from aucli.faces.detect import make_detector
from aucli.inference.predictor import Predictor


@pytest.fixture(scope="session")
def detector():
    return make_detector("mtcnn")


@pytest.fixture(scope="session")
def predictor():
    return Predictor("builtin")
