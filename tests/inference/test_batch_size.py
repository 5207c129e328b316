"""Batch sizes from memory, and what happens when it runs out: for real, under a limit of the system."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from aucli.config import ExtractConfig
from aucli.datatypes import Selection, Source
from aucli.errors import OutOfMemoryError
from aucli.inference.batch_size import LARGEST_BATCH, PROBE, FaceMemory, batch_for, is_out_of_memory
from aucli.inference.predictor import Predictor
from aucli.inference.task import VideoTask
from aucli.inference.worker import set_up
from aucli.sinks.schema import output_schema
from tests.inference.analysed import EXAMPLES, analysed

MIB = 2**20


@pytest.mark.parametrize(
    ("bytes_per_face", "free_bytes", "faces"),
    [
        (100 * MIB, 800 * MIB, 4),
        (100 * MIB, 799 * MIB, 2),  # half of it is not four faces any more
        (100 * MIB, 50 * MIB, 1),
        (1, 2**40, LARGEST_BATCH),
    ],
)
def test_half_of_the_free_memory_is_filled(bytes_per_face, free_bytes, faces):
    assert batch_for(bytes_per_face, free_bytes) == faces


def test_what_a_face_takes_is_measured_once_and_remembered():
    runs = []

    def run(faces):
        runs.append(faces)
        return faces * 3 * MIB

    key = {"device": "X", "weights": "abc", "precision": "bf16"}
    assert FaceMemory(key).measured(run) == 3 * MIB
    assert FaceMemory(key).measured(run) == 3 * MIB
    assert runs == [PROBE]
    other = FaceMemory(key | {"device": "Y"})
    assert other.bytes_per_face is None
    FaceMemory(key).remember(5)
    assert FaceMemory(key).bytes_per_face == 5


def test_a_probe_that_does_not_fit_is_halved():
    runs = []

    def run(faces):
        runs.append(faces)
        if faces > PROBE // 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return faces * 10

    assert FaceMemory({"device": "small"}).measured(run) == 10
    assert runs == [PROBE, PROBE // 2, PROBE // 4]
    with pytest.raises(ValueError, match="a bug"):
        FaceMemory({"device": "bug"}).measured(lambda faces: _raise(ValueError("a bug")))
    with pytest.raises(torch.OutOfMemoryError):
        FaceMemory({"device": "full"}).measured(lambda faces: _raise(torch.OutOfMemoryError("")))


def _raise(error):
    raise error


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"bytes_per_face": 7, "key": {"device": "Z"}}', '"x"'])
def test_a_damaged_record_is_measured_again(content):
    memory = FaceMemory({"device": "X"})
    memory.remember(7)
    assert memory.bytes_per_face == 7
    memory._path.write_text(content)
    assert memory.bytes_per_face is None
    assert memory.measured(lambda faces: faces) == 1


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path / "file"))
    memory = FaceMemory({"device": "X"})
    assert memory.measured(lambda faces: faces) == 1
    assert memory.bytes_per_face is None


def test_real_errors_of_the_allocators_are_known_and_others_are_not():
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(of_torch.value)
    with pytest.raises(MemoryError) as of_python:
        bytearray(2**60)
    assert is_out_of_memory(of_python.value)
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_out_of_memory(other.value)
    assert not is_out_of_memory(ValueError("out of memory"))


def failing_above(predictor, largest, monkeypatch):
    """The predictor with a network whose allocation fails for more than `largest` faces."""
    seen = []
    network = predictor.network

    def run(images, **asked):
        seen.append(len(images))
        if len(images) > largest:
            torch.empty(2**60, dtype=torch.uint8)
        return network(images, **asked)

    monkeypatch.setattr(predictor, "network", run)
    monkeypatch.setattr(predictor, "batch_size", 8)
    return seen


def test_the_batch_is_halved_and_no_face_lost(predictor, monkeypatch):
    size = predictor.card.crop.size
    crops = torch.rand(21, 3, size, size, generator=torch.manual_seed(0)) * 255
    want = predictor(crops)
    seen = failing_above(predictor, 3, monkeypatch)
    found = predictor(crops)
    assert seen[:3] == [8, 4, 2]
    assert sum(faces for faces in seen if faces <= 3) == 21
    np.testing.assert_allclose(found.outputs, want.outputs, rtol=0, atol=1e-6)
    assert predictor.batch_size == 2
    notes = predictor.take_notes()
    assert [note.split(":")[0] for note in notes] == [
        "out of memory with 8 faces in a batch",
        "out of memory with 4 faces in a batch",
    ]
    assert predictor.take_notes() == ()


def test_when_one_face_does_not_fit_the_way_out_is_named(predictor, monkeypatch):
    failing_above(predictor, 0, monkeypatch)
    size = predictor.card.crop.size
    with pytest.raises(OutOfMemoryError, match="choose another --device or --model"):
        predictor(torch.zeros(2, 3, size, size))
    predictor.take_notes()


def test_another_error_of_the_network_is_not_taken_for_it(predictor, monkeypatch):
    monkeypatch.setattr(predictor, "network", lambda images, **asked: _raise(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        predictor(torch.zeros(2, 3, 112, 112))
    assert predictor.take_notes() == ()


def test_a_video_keeps_all_rows_and_the_report_says_so(detector, predictor, monkeypatch, tmp_path):
    config = ExtractConfig(selection=Selection(end_seconds=0.5))
    clip = EXAMPLES / "two_people.mp4"
    want = analysed(clip, detector, predictor, config)
    failing_above(predictor, 3, monkeypatch)
    monkeypatch.setattr("aucli.inference.worker._load", lambda *_: (detector, predictor))
    card = predictor.card
    schema = output_schema(card.written_aus, intensity_aus=card.intensity_aus)
    process = set_up(config, schema, "cpu", 1, 0)
    task = VideoTask(Source(clip, clip.name), "key", tmp_path / "spool.arrows", tmp_path / "part.parquet")
    entry = process(task, lambda event: None)
    assert entry.status == "ok"
    assert entry.rows == len(want.frames)
    assert any("went on with 2" in note for note in entry.notes)


LIMITED = """
import json, resource, sys
import torch
from aucli.inference.predictor import Predictor
torch.set_num_threads(1)
predictor = Predictor("builtin", batch_size=256)
size = predictor.card.crop.size
crops = torch.rand(256, 3, size, size, generator=torch.manual_seed(0)) * 255
want = [predictor(crops[:2]).outputs, predictor(crops[254:]).outputs]
used = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
limit = int(used.split()[1]) * 1024 + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
found = predictor(crops).outputs
error = max(abs(found[:2] - want[0]).max(), abs(found[254:] - want[1]).max())
print(json.dumps([len(found), float(error), predictor.batch_size, predictor.take_notes()]))
"""


def test_a_limit_of_the_system_is_met_with_smaller_batches():
    """A batch of 256 takes far more than the 150 MiB that the process may still have."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(150 * MIB)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    faces, error, batch_size, notes = json.loads(done.stdout)
    assert faces == 256
    assert error < 1e-6
    assert 1 <= batch_size < 256
    assert len(notes) == (256 // batch_size).bit_length() - 1


def test_the_batch_size_of_the_cpu_is_fixed(predictor):
    assert predictor.batch_size == 8
    assert Predictor("builtin", batch_size=3).batch_size == 3
