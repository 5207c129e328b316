"""Several videos that share a network: the same scores, in fewer and fuller batches."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from aucli.errors import OutOfMemoryError
from aucli.inference.predictor import Predictor
from aucli.inference.shared_batches import SharedBatches
from aucli.inference.timing import StageTimer

TOLERANCE = 2e-6  # what `Predictor` says of batches


@pytest.fixture
def predictor():
    return Predictor("builtin", batch_size=16)


@pytest.fixture
def calls(predictor, monkeypatch):
    """The number of faces of each call of the network."""
    seen = []
    forward = predictor.network.forward

    def counted(images, **options):
        seen.append(len(images))
        return forward(images, **options)

    monkeypatch.setattr(predictor.network, "forward", counted)
    return seen


def crops_of(predictor, faces, seed):
    size = predictor.card.crop.size
    return torch.rand(faces, 3, size, size, generator=torch.manual_seed(seed)) * 255


def in_lanes(shared, work):
    """What each function gives, in a thread with a lane of its own; all lanes are open before one begins."""
    begin = threading.Barrier(len(work))

    def run(one):
        with shared.lane() as lane:
            begin.wait()
            return one(lane)

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def assert_same(found, expected):
    for name in ("outputs", "intensities"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=TOLERANCE)


def test_each_gets_the_own_rows_of_one_batch(predictor, calls):
    given = [crops_of(predictor, faces, seed) for seed, faces in enumerate((3, 5, 1, 7))]
    expected = [predictor(crops) for crops in given]
    calls.clear()
    shared = SharedBatches(predictor, patience_seconds=60)
    found = in_lanes(shared, [lambda lane, crops=crops: lane(crops) for crops in given])
    assert calls == [16]
    for mine, alone in zip(found, expected, strict=True):
        assert_same(mine, alone)


def test_many_calls_of_many_videos(predictor, calls):
    """Lanes end at different times; nobody waits for one that is gone."""
    shared = SharedBatches(predictor, patience_seconds=60)

    def work(seed, count):
        def run(lane):
            return [
                (crops, lane(crops))
                for crops in (
                    crops_of(predictor, 1 + (seed + step) % 6, 10 * seed + step) for step in range(count)
                )
            ]

        return run

    found = in_lanes(shared, [work(seed, count) for seed, count in enumerate((1, 4, 9, 2))])
    together = list(calls)
    assert sum(together) == sum(len(crops) for lane in found for crops, _ in lane)
    assert len(together) < sum(len(lane) for lane in found)
    assert max(together) <= 16
    for lane in found:
        for crops, mine in lane:
            assert_same(mine, predictor(crops))


def test_one_video_alone_waits_for_nobody(predictor):
    with SharedBatches(predictor, patience_seconds=60).lane() as lane:
        crops = crops_of(predictor, 2, 0)
        start = time.monotonic()
        assert_same(lane(crops), predictor(crops))
        assert time.monotonic() - start < 30


def test_a_slow_video_holds_up_nobody(predictor):
    shared = SharedBatches(predictor, patience_seconds=0.01)
    with shared.lane(), shared.lane() as lane:  # the first never has a face
        start = time.monotonic()
        lane(crops_of(predictor, 2, 0))
        assert time.monotonic() - start < 30


def test_waiting_for_others_is_told_as_waiting(predictor):
    timer = StageTimer()
    shared = SharedBatches(predictor, patience_seconds=0.3)
    with shared.lane(), shared.lane() as lane:
        lane(crops_of(predictor, 2, 0), timer)
    times = timer.take()
    assert times.waiting["network"] >= 0.25
    assert times.busy["network"] > 0
    spans = sorted((span.start_seconds, span.seconds, span.waiting) for span in times.spans)
    assert [waiting for *_, waiting in spans] == [True, False]
    assert spans[0][0] + spans[0][1] <= spans[1][0]


def test_more_faces_than_a_batch(predictor, calls):
    given = [crops_of(predictor, faces, seed) for seed, faces in enumerate((40, 12, 12))]
    shared = SharedBatches(predictor, patience_seconds=60)
    found = in_lanes(shared, [lambda lane, crops=crops: lane(crops) for crops in given])
    assert sum(calls) == 64
    assert max(calls) == 16
    for crops, mine in zip(given, found, strict=True):
        assert_same(mine, predictor(crops))


def test_no_face_needs_no_batch(predictor, calls):
    shared = SharedBatches(predictor, patience_seconds=60)
    with shared.lane(), shared.lane() as lane:
        assert lane(crops_of(predictor, 0, 0)).outputs.shape == (0, len(predictor.card.au_names))
    assert calls == []


def test_what_goes_wrong_is_told_to_all_whose_batch_it_was(predictor, monkeypatch):
    def full(images, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(predictor.network, "forward", full)
    shared = SharedBatches(predictor, patience_seconds=60)

    def run(lane):
        with pytest.raises(OutOfMemoryError, match="not enough free memory"):
            lane(crops_of(predictor, 2, 0))
        return lane.take_notes()

    # Both are told what was tried, and a second time nothing.
    notes = in_lanes(shared, [run, run])
    assert notes[0] == notes[1]
    assert "out of memory with 4 faces in a batch" in notes[0][0]


def test_notes_are_of_those_in_the_batch(predictor, monkeypatch):
    forward = predictor.network.forward

    def small(images, **options):
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(images, **options)

    monkeypatch.setattr(predictor.network, "forward", small)
    shared = SharedBatches(predictor)
    with shared.lane() as one:
        crops = crops_of(predictor, 4, 0)
        found = one(crops)
        with shared.lane() as other:
            assert other.take_notes() == ()
        assert one.take_notes() == ("out of memory with 4 faces in a batch: went on with 2, no row is lost",)
        assert one.take_notes() == ()
    monkeypatch.undo()
    assert_same(found, predictor(crops))
