"""How a run is spread: devices by name, processes and threads."""

import pytest
import torch

from aucli.errors import DeviceError, UsageError
from aucli.inference.devices import available_cores, plan_workers, resolve_device, resolve_precision


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:0;1", "cpu:0", ""])
def test_unknown_forms_are_refused(name):
    with pytest.raises(UsageError, match="write auto, cpu"):
        resolve_device(name)


def test_cpu_is_the_cpu():
    assert resolve_device("cpu") == ("cpu",)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu():
    assert resolve_device("auto") == ("cpu",)
    for name in ("cuda", "cuda:0", "cuda:0,1"):
        with pytest.raises(DeviceError, match="--device cpu"):
            resolve_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_with_a_gpu():
    assert resolve_device("auto")[0] == "cuda:0"
    with pytest.raises(DeviceError, match="there is no cuda:99"):
        resolve_device("cuda:99")


def test_cores_are_shared_and_never_oversubscribed():
    cores = available_cores()
    for videos in (1, 2, 50):
        for jobs in (None, 1, 2, 64):
            plan = plan_workers(("cpu",), jobs, videos)
            assert 1 <= len(plan) <= videos
            assert all(worker.threads >= 1 for worker in plan)
            assert jobs is not None or sum(worker.threads for worker in plan) <= cores
    assert plan_workers(("cpu",), None, 1)[0].threads == cores


def test_processes_on_gpus():
    two = ("cuda:0", "cuda:2")
    assert [worker.device for worker in plan_workers(two, None, 5)] == ["cuda:0", "cuda:2"]
    assert [worker.device for worker in plan_workers(two, 3, 5)] == [*two, *two, "cuda:0"]
    assert len(plan_workers(two, None, 1)) == 1
    cores = available_cores()
    assert plan_workers(("cuda:0",), 2, 9)[0].threads == max(1, cores // 2)


def test_precision():
    assert resolve_precision("auto", "cpu") == "fp32"
    assert resolve_precision("auto", "cuda:0") == "bf16"
    with pytest.raises(UsageError, match="use fp32 or bf16"):
        resolve_precision("fp16", "cpu")
