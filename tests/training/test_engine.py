"""The loop of one stage on real (rendered) faces: it learns, it stops and goes on, it refuses nonsense."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aucli.datasets.synthfaces import load_synthfaces
from aucli.datatypes import CropConvention
from aucli.errors import InputNotFoundError
from aucli.training.crops import Straying, cut_crops
from aucli.training.engine import Recipe, Trainer
from aucli_models.me_graphau import MEGraphAU

FACES = Path(__file__).parents[1] / "data" / "synthfaces"
CONVENTION = CropConvention(size=112)


@pytest.fixture(scope="module")
def faces():
    return load_synthfaces(FACES, "train")


def trainer(faces, stage=1, **recipe):
    torch.manual_seed(0)
    recipe = {"iterations": 6, "batch_size": 8, "warmup": 2} | recipe
    return Trainer(MEGraphAU("resnet10_small", "synth", stage), faces, CONVENTION, Recipe(**recipe))


@pytest.mark.parametrize("stage", [1, 2])
def test_loss_falls_on_a_few_pictures(faces, stage):
    run = trainer(faces, stage, iterations=25, rate=1e-3)
    losses = []
    run.run(lambda iteration, loss: losses.append((iteration, loss)))
    assert [iteration for iteration, _ in losses] == list(range(1, 26))
    values = np.array([loss for _, loss in losses])
    assert values[-8:].mean() < 0.9 * values[:4].mean()


def test_stopped_and_continued_is_the_same_run(faces, tmp_path):
    whole = trainer(faces)
    whole.run(lambda *_: None)
    half = trainer(faces)
    for _ in range(3):
        half.step()
    half.save(tmp_path / "half.pt")
    rest = trainer(faces)
    rest.load(tmp_path / "half.pt")
    rest.run(lambda *_: None)
    for key, value in whole.average.state_dict().items():
        torch.testing.assert_close(rest.average.state_dict()[key], value, rtol=0, atol=0, msg=key)


def test_a_loss_that_is_not_finite_stops_with_the_pictures(faces):
    run = trainer(faces)
    with torch.no_grad():
        run.network.head.sc.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"iteration 0: .*\.jpg"):
        run.step()


def test_exact_crops_put_the_points_in_their_places(faces):
    """A white dot on each landmark must come to lie where the convention says."""
    from aucli.faces.align import target_points

    pictures = np.zeros_like(faces.pictures[:4])
    for picture, points in zip(pictures, faces.points[:4], strict=True):
        x, y = np.rint(points[2]).astype(int)
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    crops = cut_crops(pictures, faces.points[:4], CONVENTION)[:, 0]
    for crop in crops:
        y, x = np.unravel_index(int(crop.argmax()), crop.shape)
        # Five points are fitted together: the nose of a turned head lies beside its place.
        assert np.hypot(x - target_points(CONVENTION)[2, 0], y - target_points(CONVENTION)[2, 1]) < 16


def test_straying_is_fixed_by_its_seed(faces):
    def crops(seed):
        generator = torch.Generator().manual_seed(seed)
        return cut_crops(
            faces.pictures[:4], faces.points[:4], CONVENTION, straying=Straying(), generator=generator
        )

    torch.testing.assert_close(crops(1), crops(1), rtol=0, atol=0)
    assert (crops(1) - crops(2)).abs().mean() > 0.01
    exact = cut_crops(faces.pictures[:4], faces.points[:4], CONVENTION)
    assert (crops(1) - exact).abs().mean() > 0.01


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"labels\.parquet"):
        load_synthfaces(tmp_path, "train")
