"""A model of clips over a dataset, against the network on each unbroken run of its pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from aucli.datasets.labelled import LabelledFaces
from aucli.evaluation.predict import predict
from aucli.evaluation.predict_clips import follows, in_time
from aucli.inference.predictor import Predictor
from aucli_models.au import AU_SETS
from tests.models.small_mdhr import card_file, moving, small

AUS = AU_SETS["disfa"]
# Subject, recording, frame number; not in order, with a gap, a recording alone, and pictures without numbers.
ROWS = [("A", "A/1", n) for n in (4, 0, 1, 2, 3, 7, 8)] + [("B", "B/1", n) for n in range(20)]
ROWS += [("B", "B/2", 20), ("C", "C/1", -1), ("C", "C/1", -1)]
RUNS = [[1, 2, 3, 4, 0], [5, 6], list(range(7, 27)), [27], [28], [29]]


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    pictures = moving(1, len(ROWS), 4)[0]
    pictures = ((pictures - pictures.min()) / (pictures.max() - pictures.min()) * 255).byte()
    paths = [f"{number}.png" for number in range(len(ROWS))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(root / path)
    subjects, videos, frames = zip(*ROWS, strict=True)
    labels = np.zeros((len(ROWS), len(AUS)), np.int8)
    return LabelledFaces("own", root, AUS, tuple(paths), subjects, videos, np.array(frames, np.int32), labels)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return str(card_file(tmp_path_factory.mktemp("tiny"), "disfa"))


def network_on(faces, run, length):
    """The run by itself: as one clip, or in clips of a length, the last one filled."""
    predictor_mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    predictor_std = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    pixels = [np.asarray(Image.open(faces.root / faces.paths[row]), np.float32) / 255 for row in run]
    images = (torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) - predictor_mean) / predictor_std
    size = length or (len(run) if len(run) > 1 else 16)
    found = []
    for start in range(0, len(run), size):
        clip = images[start : start + size]
        filled = torch.cat([clip, clip[-1:].expand(size - len(clip), -1, -1, -1)])
        with torch.inference_mode():
            found.append(small("disfa")(filled.unsqueeze(0)).probabilities[0, : len(clip)])
    return torch.cat(found).numpy()


@pytest.mark.parametrize(("mode", "length"), [("track", None), ("official", 16)])
def test_every_unbroken_run_is_a_sequence(faces, card, mode, length):
    found = predict(faces, Predictor(card, clips=mode))
    np.testing.assert_array_equal(found.rows, np.arange(len(ROWS)))
    for run in RUNS:
        np.testing.assert_allclose(found.values[run], network_on(faces, run, length), rtol=0, atol=2e-6)


def test_the_order_is_that_of_time(faces):
    order = in_time(faces)
    assert [ROWS[row] for row in order] == sorted(ROWS)
    assert follows(faces, 2, 1)
    assert not follows(faces, 5, 0)  # a gap
    assert not follows(faces, 7, 6)  # another person
    assert not follows(faces, 27, 26)  # another recording
    assert not follows(faces, 29, 28)  # no numbers


def test_a_picture_that_cannot_be_read_ends_a_sequence(faces, card, monkeypatch):
    monkeypatch.setattr("aucli.datasets.pictures.LARGEST_SHARE_UNREADABLE", 0.5)
    whole = faces.root / faces.paths[2]
    content = whole.read_bytes()
    whole.write_bytes(b"no picture")
    try:
        found = predict(faces, Predictor(card))
    finally:
        whole.write_bytes(content)
    assert list(found.unreadable) == [faces.paths[2]]
    values = dict(zip(found.rows.tolist(), found.values, strict=True))
    for run in ([1], [3, 4, 0]):
        np.testing.assert_allclose([values[row] for row in run], network_on(faces, run, None), atol=2e-6)
