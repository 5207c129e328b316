"""Steps of the engine: what they refuse, and what they do not depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.layers.drop import DropPath
from torch import nn

from aucli.datatypes import CropConvention
from aucli.errors import TrainingError, UsageError
from aucli.training.batches import Examples, batches
from aucli.training.distributed import Ranks
from aucli.training.draws import Draws
from aucli.training.engine import Arithmetic, Engine
from aucli.training.recipe import stage_recipe
from aucli.training.stochastic_depth import Depths
from aucli.training.views import Views
from aucli_models.au import AU_SETS
from aucli_models.me_graphau import MEGraphAU

CPU = torch.device("cpu")
RECIPE = replace(stage_recipe("published", "me_graphau", "resnet10_small", 1), batch_size=6, rate=1e-3)


@pytest.fixture(scope="module")
def examples():
    """Noise with labels and intensities, some of them missing; each AU occurs."""
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (12, 8)).astype(np.int8)
    intensity = np.where(labels == -1, np.nan, labels * 3.0).astype(np.float32)
    return Examples(
        rng.integers(0, 256, (12, 128, 128, 3)).astype(np.uint8),
        np.arange(12),
        labels,
        intensity,
        None,
        [f"people/{row}.jpg" for row in range(12)],
        AU_SETS["disfa"],
    )


def engine(examples, recipe=RECIPE, stage=1, **changed):
    torch.manual_seed(0)
    return Engine(
        MEGraphAU("resnet10_small", "disfa", stage),
        recipe,
        torch.linspace(0.5, 1.5, 8),
        Views(CropConvention(size=112), recipe.augmentation, flip=True),
        steps=20,
        seed=0,
        names=examples.names,
        **changed,
    )


def some_batches(examples, accumulate=1, epoch=0):
    return batches(
        examples, batch_size=6, epoch=epoch, first_step=0, seed=0, ranks=Ranks(), accumulate=accumulate
    )


@pytest.mark.parametrize("name", ["published", "synth"])
@pytest.mark.parametrize("stage", [1, 2])
def test_loss_falls_on_a_few_pictures(examples, name, stage):
    recipe = replace(stage_recipe(name, "me_graphau", "resnet10_small", stage), batch_size=6, rate=1e-3)
    run = engine(examples, replace(recipe, augmentation="published"), stage)
    losses = [
        float(run.step(batch)[0]) for epoch in range(10) for batch in some_batches(examples, epoch=epoch)
    ]
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:4])


def test_landmarks_are_learnt_where_there_are_some(examples):
    """The head learns where they lie on average; unknown ones change nothing."""
    rng = np.random.default_rng(3)
    landmarks = (rng.uniform(30, 98, (68, 2)) + rng.normal(0, 2, (12, 68, 2))).astype(np.float32)
    landmarks[2] = np.nan
    with_them = replace(examples, landmarks=landmarks)
    recipe = replace(stage_recipe("synth", "me_graphau", "resnet10_small", 1), batch_size=6, rate=3e-3)
    run = engine(with_them, recipe, landmarks=True)

    def distance():
        """Of the mean, in sides; both faces and mirrored ones are in it."""
        batch = next(some_batches(with_them))
        seen = run.seen(batch, batch.parts[0])
        with torch.no_grad():
            placed = run.objective.heads.places(run.network.train().backbone(seen.images))
        away = placed.view(-1, 68, 2) - (seen.landmarks / 112 - 0.5)
        return float(away.nanmean(0).abs().mean())

    before = distance()
    losses = [float(run.step(b)[0]) for epoch in range(10) for b in some_batches(with_them, epoch=epoch)]
    assert np.isfinite(losses).all()
    assert distance() < 0.7 * before


def test_sharpness_aware_steps_learn_too(examples):
    run = engine(examples, replace(RECIPE, sam_rho=0.5))
    losses = [
        float(run.step(batch)[0]) for epoch in range(8) for batch in some_batches(examples, epoch=epoch)
    ]
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])


@pytest.fixture(scope="module")
def sided():
    """Noise with labels and intensities of the set with sides."""
    rng = np.random.default_rng(1)
    intensity = rng.uniform(0, 5, (12, 39)).astype(np.float32)
    crops = rng.integers(0, 256, (12, 128, 128, 3)).astype(np.uint8)
    labels = (intensity >= 2).astype(np.int8)
    intensity[rng.random(intensity.shape) < 0.1] = np.nan
    return Examples(crops, np.arange(12), labels, intensity, None, ["x"] * 12, AU_SETS["synth_sided"])


def sided_engine(examples, name, stage, **changed):
    torch.manual_seed(0)
    recipe = replace(stage_recipe(name, "me_graphau", "resnet10_small", stage), batch_size=6, rate=1e-3)
    return Engine(
        MEGraphAU("resnet10_small", "synth_sided", stage, intensity=True),
        replace(recipe, augmentation="published", **changed),
        torch.ones(39),
        Views(CropConvention(size=112), "published", flip=True),
        steps=20,
        seed=0,
        names=examples.names,
    )


@pytest.mark.parametrize("name", ["published", "synth"])
@pytest.mark.parametrize("stage", [1, 2])
def test_intensities_are_learnt_with_and_without_the_heads_of_training(sided, name, stage):
    run = sided_engine(sided, name, stage)
    # The network has its own read-out from the nodes: no second one is trained.
    keys = [key for key, _ in run.objective.named_parameters() if "intensity" in key or "from_nodes" in key]
    assert keys == ["network.intensity_head.weight", "network.intensity_head.bias"]
    losses = [float(run.step(batch)[0]) for epoch in range(3) for batch in some_batches(sided, epoch=epoch)]
    assert np.mean(losses[-2:]) < 0.9 * np.mean(losses[:2])
    read = run.network.intensity_head.weight
    assert (read.detach().norm(dim=1) > 0).all()
    if run.average is not None:
        averaged = run.average.intensity_head.weight
        assert 0 < (averaged - read).abs().max() < read.abs().max()


def test_the_part_of_intensities_in_the_loss(sided):
    """Begun at 0, they are all wrong by what was measured: its smooth L1 distance in fifths, four times."""
    batch = next(some_batches(sided))
    run = sided_engine(sided, "published", 1)
    seen = run.seen(batch, batch.parts[0])
    counts = (batch.counts.labels, batch.counts.pairs, batch.counts.intensities)
    run.network.eval()
    with torch.no_grad():
        whole = float(run.objective(seen.images, seen.labels, seen.intensity, counts))
        without = float(run.objective(seen.images, seen.labels, None, counts))
    distance = batch.parts[0].intensity.numpy() / 5
    each = np.where(distance < 0.2, distance**2 / 0.4, distance - 0.1)
    assert whole - without == pytest.approx(4 * np.nanmean(each), rel=1e-5)


def test_mirrored_pictures_have_the_labels_and_intensities_of_the_other_side(sided):
    """Pictures that are black to the left or to the right of their middle, labelled so."""
    left = np.arange(12) % 3 == 0
    crops = np.zeros((12, 128, 128, 3), np.uint8)
    crops[left, :, :64] = 255
    crops[~left, :, 64:] = 255
    labels, intensity = np.zeros((12, 39), np.int8), np.zeros((12, 39), np.float32)
    labels[:, 4] = 1
    # The person's own left is on the right of the picture.
    aus = AU_SETS["synth_sided"]
    for numbers, rows in (("R", left), ("L", ~left)):
        for number in (1, 2, 4, 6, 10, 12, 14):
            labels[rows, aus.index(f"AU{number}{numbers}")] = 1
            intensity[rows, aus.index(f"AU{number}{numbers}")] = number / 4
    run = sided_engine(sided, "published", 1)
    mirrored = 0
    for batch in some_batches(replace(sided, crops=crops, labels=labels, intensity=intensity)):
        (part,) = batch.parts
        seen = run.seen(batch, part)
        half = seen.images.shape[-1] // 2
        for face in range(len(seen.images)):
            bright_left = bool(seen.images[face, :, :, :half].mean() > seen.images[face, :, :, half:].mean())
            shown, other = ("R", "L") if bright_left else ("L", "R")
            for number in (1, 2, 4, 6, 10, 12, 14):
                here, there = aus.index(f"AU{number}{shown}"), aus.index(f"AU{number}{other}")
                assert (seen.labels[face, here], seen.labels[face, there]) == (1, 0)
                assert (seen.intensity[face, here], seen.intensity[face, there]) == (number / 4, 0)
            mirrored += bright_left != (part.labels[face, aus.index("AU1R")] == 1)
        assert torch.equal(seen.labels[:, :25], part.labels[:, :25])
    assert 0 < mirrored < 12


def test_the_loss_on_edges_knows_no_sides(sided):
    """What edges learn does not depend on the labels of sided AUs, and all pairs of the others count."""
    gradients = []
    for value in (0, 1):
        labels = sided.labels.copy()
        labels[:, 25:] = value
        run = sided_engine(sided, "published", 2)
        batch = next(some_batches(replace(sided, labels=labels)))
        assert batch.counts.pairs == 6 * 25 * 25
        run.step(batch)
        gradients.append(run.network.edge_fc.weight.grad.clone())
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stops_with_the_pictures(examples, where):
    run = engine(examples)
    if where == "loss":
        with torch.no_grad():
            run.network.head.sc.fill_(float("nan"))
    else:
        run.network.head.sc.register_hook(lambda gradient: gradient * float("inf"))
    before = {key: value.clone() for key, value in run.network.named_parameters()}
    batch = next(some_batches(examples))
    what = "the loss is nan" if where == "loss" else "the gradient's length is (inf|nan)"
    with pytest.raises(TrainingError, match=rf"stage 1, epoch 1, batch 1: {what}, on people/\d+\.jpg"):
        run.step(batch)
    for key, value in run.network.named_parameters():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0, equal_nan=True)


def test_a_batch_in_parts_has_the_loss_and_gradient_of_all_its_labels(examples):
    """Without batch statistics, which are those of a part, parts change nothing."""
    gradients, losses = [], []
    for accumulate in (1, 3):
        run = engine(examples, replace(stage_recipe("synth", "me_graphau", "x", 1), batch_size=6, rate=0.0))
        # A step sets the train mode, and batch norms would then take each part's own statistics.
        run.objective.train = lambda mode=True, kept=run.objective: kept
        run.network.train = lambda mode=True, kept=run.network: kept
        run.network.eval()
        losses.append(float(run.step(next(some_batches(examples, accumulate)))[0]))
        gradients.append({key: p.grad for key, p in run.objective.named_parameters() if p.grad is not None})
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for key, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], value, rtol=1e-3, atol=1e-5, msg=key)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_short_numbers_train_alike(examples, precision):
    losses = {}
    for name in ("fp32", precision):
        run = engine(examples, arithmetic=Arithmetic(CPU, name))
        losses[name] = [float(run.step(batch)[0]) for batch in some_batches(examples)]
        assert all(p.dtype == torch.float32 for p in run.network.parameters())
    assert losses[precision] == pytest.approx(losses["fp32"], rel=0.03)
    assert losses[precision] != losses["fp32"]


def test_float16_leaves_out_a_step_that_overflows(examples):
    run = engine(examples, arithmetic=Arithmetic(CPU, "fp16"))
    scale = run._scaler.get_scale()
    hook = run.network.head.sc.register_hook(lambda gradient: gradient * float("inf"))
    before = run.network.head.sc.detach().clone()
    given = list(some_batches(examples))
    run.step(given[0])
    torch.testing.assert_close(run.network.head.sc.detach(), before, rtol=0, atol=0)
    assert run._scaler.get_scale() < scale
    hook.remove()
    run.step(given[1])
    assert (run.network.head.sc.detach() != before).any()


def test_two_passes_in_float16_are_refused(examples):
    with pytest.raises(UsageError, match=r"--precision fp16 .* use bf16 or fp32"):
        engine(examples, replace(RECIPE, sam_rho=2.0), arithmetic=Arithmetic(CPU, "fp16"))


def test_a_compiled_network_has_the_same_losses(examples):
    """With the compiler's own checks but without its code generator, which needs a C++ compiler."""
    torch._dynamo.reset()
    losses = []
    for compiled in (False, True):
        run = engine(examples)
        if compiled:
            run.objective.compile(backend="aot_eager")
        losses.append([float(run.step(batch)[0]) for batch in some_batches(examples)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = DropPath(0.25), nn.Sequential(DropPath(0.5)), DropPath(0.0)

    def forward(self, x):
        return torch.stack([self.first(x), self.second(x), self.last(x)])


def test_stochastic_depth_keeps_the_mean_and_is_drawn_by_place():
    network = Blocks()
    depths = Depths(network)

    def kept(positions):
        depths.draw(Draws(1, 2, np.array(positions)))
        return network(torch.ones(len(positions), 3, 2))

    whole = kept(range(4000))
    for block, dropped in zip(whole, (0.25, 0.5, 0.0), strict=True):
        kept_value = torch.tensor(1 / (1 - dropped))
        assert ((block == 0) | torch.isclose(block, kept_value)).all()
        assert (block == 0).any() == (dropped > 0)
        assert (block == block[:, :1, :1]).all()  # a picture is dropped as a whole
        assert block.mean() == pytest.approx(1.0, abs=0.05)
    parts = torch.cat([kept(range(1500)), kept(range(1500, 4000))], dim=1)
    torch.testing.assert_close(parts, whole, rtol=0, atol=0)
    assert (network.eval()(torch.ones(5, 3, 2)) == 1).all()
