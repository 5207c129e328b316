"""SCC's loss, penalty and schedule against the official code's numbers; and a short run."""

import json

import numpy as np
import pytest
import torch

from aucli.errors import UsageError
from aucli.training.heatmap_objective import HeatmapObjective, heatmap_loss
from aucli.training.optimiser import make_optimiser, set_rate
from aucli.training.recipe import stage_recipe
from aucli.training.run import train
from aucli.zoo import load
from aucli.zoo.card import read_card
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden, golden_scc
from tests.training.runs import config

TINY = ModelSpec("scc", "resnet10_small", "bp4d_intensity", 1, 112, intensity=True)


def test_loss_of_the_official_code():
    want = golden.arrays("scc_heatmap_target")
    maps = torch.from_numpy(golden_scc.heatmaps()[:2].transpose(0, 3, 1, 2).copy())
    points, intensities = (torch.from_numpy(want[name]) for name in ("points", "intensity"))
    loss = heatmap_loss(maps, points, intensities)
    assert float(loss) == pytest.approx(golden_scc.manifest()["loss"]["value"], rel=1e-6)
    # Parts of a batch add up, and a map that nobody coded does not count.
    given = [(maps[i : i + 1], points[i : i + 1], intensities[i : i + 1]) for i in (0, 1)]
    parts = [heatmap_loss(*one, count=20) for one in given]
    torch.testing.assert_close(sum(parts), loss)
    unknown = intensities.clone()
    unknown[:, 3] = torch.nan
    maps[:, 3] = 1e6
    torch.testing.assert_close(
        heatmap_loss(maps, points, unknown), (loss * 20 - lost(points, intensities)) / 18, rtol=1e-5, atol=0
    )


def lost(points, intensities):
    """What the maps of point 3 add to the sum of the golden loss."""
    maps = torch.from_numpy(golden_scc.heatmaps()[:2].transpose(0, 3, 1, 2).copy())
    return 2 * heatmap_loss(maps[:, 3:4], points[:, 3:4], intensities[:, 3:4])


def test_schedule_of_the_official_code():
    recipe = stage_recipe("published", "scc", "resnet50", 1)
    assert (recipe.epochs, recipe.batch_size, recipe.augmentation) == (10, 16, "none")
    optimiser = torch.optim.Adam([{"params": [torch.zeros(1)], "factor": 1.0}])
    for epoch, rate in golden_scc.manifest()["lr_by_epoch"][: recipe.epochs]:
        for step in (100 * epoch, 100 * epoch + 99):
            assert set_rate(optimiser, recipe, step, 100 * recipe.epochs) == pytest.approx(rate)


def test_penalty_of_the_official_code():
    """Adam's decay adds w times 1e-5 to the gradient of the 60 weight tensors: that of 1e-5 * sum(w^2) /
    2."""
    recipe = stage_recipe("published", "scc", "resnet50", 1)
    with torch.device("meta"):
        network = create_model(ModelSpec("scc", "resnet50", "bp4d_intensity", 1, 256))
    optimiser = make_optimiser(HeatmapObjective(network, "bp4d_intensity"), recipe)
    assert type(optimiser) is torch.optim.Adam
    decaying = [group for group in optimiser.param_groups if group["weight_decay"]]
    assert [group["weight_decay"] for group in decaying] == [golden_scc.manifest()["l2"]["scale"]]
    assert len(decaying[0]["params"]) == golden_scc.manifest()["l2"]["n_terms"]


def test_the_loss_falls():
    """A few steps on four faces."""
    torch.manual_seed(0)
    network = create_model(TINY).train()
    objective = HeatmapObjective(network, "bp4d_intensity")
    images = torch.randn(4, 3, 112, 112)
    landmarks = torch.rand(4, 68, 2) * 60 + 26
    grades = torch.tensor([[0.0, 3, 5, 1, 2], [4, 0, 1, 5, 3], [2, 5, 0, 3, 1], [5, 1, 4, 0, 2]])
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = objective(images, torch.zeros(4, 5), grades, (20, 0, 20, 0), landmarks)
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[-1] < 0.97 * losses[0]  # maps reach 1275, so the way is long


@pytest.fixture(scope="module")
def trained(few, tmp_path_factory):
    out = tmp_path_factory.mktemp("scc")
    given = {"arch": "scc_resnet10_small", "au_set": "bp4d_intensity", "stage": "both", "epochs": (1,)}
    train(config(few, out, **given, batch_size=12))
    return out


def test_a_run_leaves_a_model_that_extract_takes(trained):
    path = trained / "scc_resnet10_small.bp4d_intensity_stage1.json"
    card = read_card(path)
    assert not card.probabilities
    assert card.intensity_aus == card.au_names == ("AU6", "AU10", "AU12", "AU14", "AU17")
    assert (card.node_layout, dict(card.thresholds), dict(card.calibration)) == ("channels", {}, {})
    assert all({"icc", "mae"} <= set(figures) for figures in card.validation.values())
    network, _ = load(str(path))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 112, 112)).intensities.shape == (1, 5)
    history = json.loads((trained / "run.json").read_text())
    assert np.isfinite([value for value in _losses(history)]).all()


def _losses(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "train_loss":
                yield inner
            else:
                yield from _losses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _losses(inner)


def test_aus_without_a_place_are_refused(few, tmp_path):
    with pytest.raises(UsageError, match="SCC needs the places of its AUs"):
        train(config(few, tmp_path, arch="scc_resnet10_small", au_set="synth", stage="1", epochs=(1,)))
