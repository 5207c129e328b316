"""Data that several tests of training read."""

import pytest

from tests.training.runs import few_faces


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    return few_faces(tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread):
    """As the processes that tests start: sums come out the same. A module's runs are made with it too."""
