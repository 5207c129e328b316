"""What tests need to know of GPUs: a test that runs on the CPU runs on a GPU too where there is one."""

import pytest


def on_each_device():
    """Parameters: the CPU, and a GPU, whose cases carry the marker `gpu`."""
    return ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
