"""Tests that need a GPU are skipped without one, unless they are told that there must be one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
NEEDS_A_GPU = "tests/media/test_nvdec.py::test_a_gpu_tells_what_it_decodes"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
@pytest.mark.parametrize(
    ("given", "code", "said"), [("1", 1, "needs a CUDA device, and"), ("0", 0, "1 skipped")]
)
def test_skipping_becomes_a_failure_where_a_gpu_must_be(given, code, said):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", NEEDS_A_GPU],
        env=os.environ | {"FAIL_WITHOUT_CUDA": given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
