"""No test reads or writes the user's own models and settings, and all can be interrupted.

Tests with the marker `gpu` need a CUDA device and are skipped without one; with FAIL_WITHOUT_CUDA=1 in the
environment they fail there, so that a run on a GPU machine cannot pass by skipping.
"""

import itertools
import os
import signal
from pathlib import Path

import pytest
import torch

_NUMBER = itertools.count()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is None or torch.cuda.is_available():
        return
    if os.environ.get("FAIL_WITHOUT_CUDA", "") not in ("", "0"):
        pytest.fail("needs a CUDA device, and FAIL_WITHOUT_CUDA is set", pytrace=False)
    pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_not_ignored():
    """As where a shell starts the tests in its background; processes started here would take it over."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_folders_for_all(tmp_path_factory):
    """For fixtures that outlive a test, and whatever they start."""
    folder = tmp_path_factory.getbasetemp()
    os.environ["AUCLI_CACHE"] = str(folder / "cache")
    os.environ["AUCLI_CONFIG_FOLDER"] = str(folder / "config")
    os.environ.pop("AUCLI_OFFLINE", None)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests import onnxruntime themselves


@pytest.fixture(scope="session")
def examples_extraction(tmp_path_factory):
    """A real extraction of the two example clips, made once; not to be changed."""
    import aucli

    output = tmp_path_factory.mktemp("examples") / "out.parquet"
    aucli.extract(Path(aucli.__file__).parent / "examples", output=output, jobs=1)
    return output


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path_factory):
    """An empty cache and empty settings for each test; the folders are made when something is written."""
    folder = tmp_path_factory.getbasetemp() / f"own{next(_NUMBER)}"
    monkeypatch.setenv("AUCLI_CACHE", str(folder / "cache"))
    monkeypatch.setenv("AUCLI_CONFIG_FOLDER", str(folder / "config"))


@pytest.fixture(scope="module")
def one_thread():
    """Sums come out the same whatever else runs, and small networks are no slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
