"""The kernel that converts GPU pictures, here by Triton's interpreter, against the conversion in steps."""

import json
import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from aucli.media.decode.colour import yuv_to_rgb
from aucli.media.decode.convert import fused_on, is_same_on, to_rgb

ROOT = Path(__file__).parents[2]

CODE = """
import json
import sys
import torch
from aucli.media.decode.colour import yuv_to_rgb
from aucli.media.decode.colour_triton import yuv_to_rgb_in_one
from aucli.media.decode.convert import is_same_on

def planes(height, width, rows, columns, semi_planar, seed):
    random = torch.Generator().manual_seed(seed)
    def plane(*shape):
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    # As surfaces are: rows are longer than the picture.
    luma = plane(height, width + 13)[:, :width]
    if semi_planar:
        both = plane(rows, columns + 7, 2)
        return luma, both[:, :columns, 0], both[:, :columns, 1]
    return luma, plane(rows, columns + 3)[:, :columns], plane(rows, columns + 5)[:, :columns]

found = {}
for name, height, width, rows, columns in (
    ("4:2:0", 6, 64, 3, 32),
    ("one column", 2, 1, 1, 1),
    ("4:2:0, odd width, chroma rounded up", 6, 63, 3, 32),
    ("4:2:0, odd width, chroma rounded down", 6, 63, 3, 31),
    ("4:2:2", 6, 64, 6, 32),
    ("4:4:0", 6, 64, 3, 64),
    ("wider than a block", 4, 2500, 2, 1250),
):
    for semi_planar in (False, True):
        for matrix in (1, 6, 9):
            for full_range in (False, True):
                given = planes(height, width, rows, columns, semi_planar, matrix)
                ours = yuv_to_rgb_in_one(given, matrix=matrix, full_range=full_range)
                steps = yuv_to_rgb(given, matrix=matrix, full_range=full_range, bits=8)
                found[f"{name}, {semi_planar}, {matrix}, {full_range}"] = (
                    torch.equal(ours, steps) and ours.is_contiguous() and ours.dtype == torch.uint8
                )
wrong = [name for name, same in found.items() if not same]
trusted = is_same_on(torch.device("cpu"), yuv_to_rgb_in_one)
json.dump({"tried": len(found), "wrong": wrong, "trusted": trusted}, sys.stdout)
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="this torch comes without Triton")
def test_the_kernel_gives_the_bits_of_the_steps():
    path = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    printed = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True, env=environment)
    found = json.loads(printed.stdout)
    assert found == {"tried": 7 * 2 * 3 * 2, "wrong": [], "trusted": True}


def test_a_kernel_that_differs_or_fails_is_not_used(caplog):
    caplog.set_level(logging.INFO, "aucli")
    cpu = torch.device("cpu")

    def off_by_one(planes, **options):
        return yuv_to_rgb(planes, bits=8, **options) ^ 1

    def no_compiler(planes, **options):
        raise RuntimeError("Failed to find C compiler. Please specify via CC\nand more")

    assert not is_same_on(cpu, off_by_one)
    assert caplog.messages == ["pictures are converted in steps on cpu: the kernel gave other values"]
    caplog.clear()
    assert not is_same_on(cpu, no_compiler)
    assert caplog.messages == [
        "pictures are converted in steps on cpu: Failed to find C compiler. Please specify via CC"
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_there_is_no_kernel():
    """Triton cannot compile for a CPU; what is asked of it here fails, and that is no error."""
    assert fused_on(torch.device("cpu")) is None


def test_on_the_cpu_pictures_go_in_steps(monkeypatch):
    monkeypatch.setattr("aucli.media.decode.convert.fused_on", lambda device: pytest.fail("asked"))
    planes = tuple(torch.full(shape, 120, dtype=torch.uint8) for shape in ((4, 4), (2, 2), (2, 2)))
    assert to_rgb(planes, matrix=1, full_range=False, bits=8).shape == (4, 4, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(48, 64), (1080, 1920), (2160, 3840)])
def test_on_a_gpu_the_kernel_is_used_and_gives_the_same_bits(size):
    device = torch.device("cuda:0")
    assert fused_on(device) is not None
    height, width = size
    luma = torch.randint(0, 256, size, dtype=torch.uint8, device=device)
    both = torch.randint(0, 256, (height // 2, width // 2, 2), dtype=torch.uint8, device=device)
    planes = (luma, both[..., 0], both[..., 1])
    for matrix, full_range in ((1, False), (6, True), (9, False)):
        ours = to_rgb(planes, matrix=matrix, full_range=full_range, bits=8)
        assert torch.equal(ours, yuv_to_rgb(planes, matrix=matrix, full_range=full_range, bits=8))
