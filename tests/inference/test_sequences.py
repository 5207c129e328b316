"""Tracks as sequences, against the network on each unbroken run by itself."""

import numpy as np
import pytest
import torch

import aucli
from aucli.datatypes import Faces
from aucli.errors import OutOfMemoryError
from aucli.inference.pipeline import CroppedFrame
from aucli.inference.predictor import Predictor
from aucli.inference.sequences import with_outputs
from aucli.inference.timing import StageTimer
from tests.inference.analysed import EXAMPLES
from tests.models.small_mdhr import card_file, moving, small

STEP_SECONDS = 1 / 25


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return card_file(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def reader(card):
    return Predictor(str(card))


def frames_of(presence, pictures, *, times=None):
    """Frames with the faces of these tracks: presence is a list of track numbers for each frame, pictures
    float32 (frames, 3, size, size), 0 to 255; each track sees its own brightness of them.
    """
    for index, tracks in enumerate(presence):
        count = len(tracks)
        crops = [pictures[index] * (1 - 0.1 * track) for track in tracks]
        faces = Faces(
            np.zeros((count, 4), np.float32),
            np.ones(count, np.float32),
            np.zeros((count, 5, 2), np.float32),
            np.array(tracks, np.int32),
        )
        yield CroppedFrame(
            index,
            index * STEP_SECONDS if times is None else times[index],
            64,
            64,
            faces,
            torch.stack(crops) if crops else torch.zeros(0, 3, 112, 112),
            np.zeros((count, 3), np.float32),
            np.zeros(count, np.float32),
            np.ones(count, np.bool_),
        )


def runs_of(presence, times):
    """By another way than the code: for each track, lists of frames without a hole or a pause."""
    for track in sorted({track for tracks in presence for track in tracks}):
        run = []
        for index, tracks in enumerate(presence):
            late = run and times[index] - times[index - 1] > 0.5
            if run and (track not in tracks or late):
                yield track, run
                run = []
            if track in tracks:
                run.append(index)
        if run:
            yield track, run


def expected(network, predictor, presence, pictures, times):
    wanted = {}
    for track, run in runs_of(presence, times):
        images = predictor.images(torch.stack([pictures[index] * (1 - 0.1 * track) for index in run]))
        clip = images if len(run) > 1 else images.expand(16, -1, -1, -1)
        with torch.inference_mode():
            scores = network(clip.unsqueeze(0)).probabilities[0]
        wanted |= {(index, track): scores[place].numpy() for place, index in enumerate(run)}
    return wanted


@pytest.fixture(scope="module")
def pictures():
    drift = moving(1, 22, 3)[0]
    return (drift - drift.min()) / (drift.max() - drift.min()) * 255


# Track 0 is always there, 1 comes and goes every other frame, 2 is there once, 3 twice; nobody in frame 9.
PRESENCE = [
    sorted(
        {0}
        | ({1} if index % 2 else set())
        | ({2} if index == 4 else set())
        | ({3} if index in (6, 7) else set())
    )
    if index != 9
    else []
    for index in range(22)
]
TIMES = [index * STEP_SECONDS + (2.0 if index >= 17 else 0.0) for index in range(22)]  # and a pause


@pytest.mark.parametrize("batch_size", [1, 8, 1000])
def test_every_run_of_a_track_is_a_clip_and_every_frame_a_result(reader, pictures, monkeypatch, batch_size):
    monkeypatch.setattr(reader, "batch_size", batch_size)
    frames = frames_of(PRESENCE, pictures, times=TIMES)
    found = [one for done in with_outputs(frames, reader, StageTimer()) for one in done]
    assert [frame.index for frame, _ in found] == list(range(22))
    wanted = expected(small(), reader, PRESENCE, pictures, TIMES)
    for frame, outputs in found:
        assert outputs.shape == (len(frame.faces), 12)
        for track, row in zip(frame.faces.tracks, outputs, strict=True):
            np.testing.assert_allclose(row, wanted[frame.index, int(track)], rtol=0, atol=1e-6)


def test_no_more_frames_wait_than_outputs_come_late(reader, pictures):
    """However long the video: the same few pictures, 150 frames of them."""
    taken = 0

    def counted():
        nonlocal taken
        for index in range(150):
            taken += 1
            (frame,) = frames_of([[0]], pictures[index % 22 : index % 22 + 1], times=[index * STEP_SECONDS])
            yield frame

    given = 0
    for done in with_outputs(counted(), reader, StageTimer()):
        given += len(done)
        assert taken - given <= 7 + reader.batch_size
    assert given == taken == 150


def out_of_memory(network, where, calls, monkeypatch):
    """These calls of a part of the network ask for memory that nobody has."""
    part, made = getattr(network, where), []

    def failing(*given):
        made.append(given)
        if len(made) in calls:
            torch.empty(2**60, dtype=torch.uint8)
        return part(*given)

    monkeypatch.setattr(network, where, failing)


@pytest.mark.parametrize("where", ["appearance", "relate", "read"])  # at the beginning, in the middle, last
def test_when_memory_runs_out_no_frame_is_lost_or_taken_twice(reader, pictures, monkeypatch, where):
    crops = torch.stack([pictures, pictures.flip(3)], 1).flatten(0, 1)
    keys = ["plain", "mirrored"] * 22
    monkeypatch.setattr(reader, "batch_size", 20)
    out_of_memory(reader.network, where, (2, 3), monkeypatch)
    sequences = reader.sequences()
    found = {key: [] for key in keys}
    for key, scores in sequences.push(crops, keys):
        found[key].append(scores)
    for key in sorted(sequences.open):
        found[key].append(sequences.end(key))
    clips = reader.images(crops).unflatten(0, (22, 2)).transpose(0, 1)
    with torch.inference_mode():
        wanted = small()(clips).probabilities.numpy()
    for key, want in zip(("plain", "mirrored"), wanted, strict=True):
        np.testing.assert_allclose(np.concatenate(found[key]), want, rtol=0, atol=1e-6)
    assert reader.batch_size == 5
    assert [note.split(":")[0] for note in reader.take_notes()] == [
        "out of memory with 20 faces in a batch",
        "out of memory with 10 faces in a batch",
    ]


def test_memory_for_not_even_one_face_is_said(reader, pictures, monkeypatch):
    monkeypatch.setattr(reader, "batch_size", 2)
    out_of_memory(reader.network, "appearance", (1, 2), monkeypatch)
    with pytest.raises(OutOfMemoryError, match="tiny_mdhr and one face"):
        reader.sequences().push(pictures[:2], ["one", "one"])
    reader.take_notes()


def test_extract_obeys_the_choice_of_clips(card):
    """A third of a second: the filled clip of 16 frames differs from the track as it is."""
    clip = EXAMPLES / "two_people.mp4"
    tables = [
        aucli.extract(clip, model=str(card), clips=clips, end=0.3, jobs=1).table
        for clips in ("track", "official")
    ]
    assert tables[0].select(["frame", "track"]).equals(tables[1].select(["frame", "track"]))
    apart = np.abs(tables[0]["AU12_prob"].to_numpy() - tables[1]["AU12_prob"].to_numpy())
    assert apart.max() > 1e-4


def test_extract_has_the_same_rows_as_with_single_pictures(card):
    """And the notes say that the clip's frame rate is another one than the model's."""
    plain = aucli.extract(EXAMPLES / "two_people.mp4", jobs=1)
    found = aucli.extract(EXAMPLES / "two_people.mp4", model=str(card), jobs=1)
    same = ["video", "frame", "time_s", "track", "face_x", "face_score", "yaw_degrees"]
    assert found.table.select(same).equals(plain.table.select(same))
    assert found.table["AU12_prob"].null_count == 0
    (entry,) = found.report.entries
    assert entry.status == "ok"
    notes = " ".join(entry.notes)
    assert "trained on 25 frames a second" in notes
