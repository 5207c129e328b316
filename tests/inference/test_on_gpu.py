"""The same videos on a GPU and on the CPU give the same rows, whichever decoder reads them."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import aucli

pytestmark = pytest.mark.gpu

CLIP = Path(aucli.__file__).parent / "examples" / "smile.mp4"
EXACT = ("video", "frame", "time_s", "track")


@pytest.fixture(scope="module")
def on_cpu():
    return aucli.extract(CLIP, device="cpu", jobs=1, detect_every=1).table


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.02)])
@pytest.mark.parametrize("decoder", ["auto", "pyav", "pyav-cuda", "torchcodec"])
def test_rows_are_those_of_the_cpu(on_cpu, decoder, precision, tolerance):
    if decoder == "torchcodec" and find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    result = aucli.extract(CLIP, device="cuda:0", decoder=decoder, precision=precision, detect_every=1)
    (entry,) = result.report.entries
    assert entry.status == "ok"
    assert entry.decoder == decoder or (decoder == "auto" and entry.decoder in ("torchcodec", "pyav-cuda"))
    table = result.table
    for name in EXACT:
        assert table[name].equals(on_cpu[name]), name
    for name in table.column_names:
        if name.endswith("_prob"):
            allowed = tolerance
        elif name.startswith("face_") and name != "face_score":
            allowed = 0.5  # pixels
        else:
            continue
        ours, theirs = (np.asarray(rows[name], np.float64) for rows in (table, on_cpu))
        assert np.allclose(ours, theirs, rtol=0, atol=allowed, equal_nan=True), name


@pytest.mark.parametrize("settings", [{"jobs": 2}, {"in_flight": 2}, {"in_flight": 8}])
def test_videos_side_by_side_on_one_gpu_give_the_rows_of_one_by_one(tmp_path, settings):
    clips = sorted(CLIP.parent.glob("*.mp4"))
    assert len(clips) > 1
    for number in range(6):
        clips.append(tmp_path / f"{number}.mp4")
        shutil.copy(clips[number % 2], clips[-1])
    one, several = (
        aucli.extract(clips, device="cuda:0", precision="fp32", **how).table
        for how in ({"jobs": 1, "in_flight": 1}, settings)
    )
    for name in one.column_names:
        if name.endswith("_prob"):
            ours, theirs = (np.asarray(rows[name], np.float64) for rows in (several, one))
            assert np.allclose(ours, theirs, rtol=0, atol=1e-4, equal_nan=True), name
        elif name in EXACT:
            assert several[name].equals(one[name]), name
