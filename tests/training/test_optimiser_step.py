"""One step of the engine's objective and optimiser in train mode, as the official code takes it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from aucli.training.counts import Counts
from aucli.training.optimiser import make_optimiser, set_rate
from aucli.training.picture_objective import PictureObjective
from aucli.training.recipe import stage_recipe
from aucli.training.sam import SAM, frozen_statistics
from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec
from tests.models import golden

CASES = [
    *(ModelSpec("me_graphau", "resnet18", "disfa", stage) for stage in (1, 2)),
    *(ModelSpec("me_graphau", "resnet50", "bp4d", stage) for stage in (1, 2)),
    *(ModelSpec("me_graphau", "swin_tiny", "bp4d", stage) for stage in (1, 2)),
    *(ModelSpec("open_graphau", "resnet18", "hybrid", stage) for stage in (1, 2)),
]


def file_name(spec):
    system = {"me_graphau": f"me_{spec.backbone}_{spec.au_set}", "open_graphau": f"og_{spec.backbone}"}
    return f"train_{system[spec.system]}_stage{spec.stage}"


def without_stochastic_depth(network):
    for module in network.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    return network


def sliced(tensor, count=16):
    flat = tensor.detach().flatten()
    return flat[:: max(1, flat.numel() // count)][:count].numpy()


def items(arrays, prefix):
    return {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}


@pytest.mark.parametrize("spec", CASES, ids=file_name)
def test_step_equals_the_official_one(spec):
    info, want = golden.manifest(file_name(spec)), golden.arrays(file_name(spec))
    network = golden.loaded(spec, golden.formula_state(spec))
    without_stochastic_depth(network).train().requires_grad_(True)
    images = golden.normalised(golden.images(info["image_seed"], 4))
    labels = torch.from_numpy(want["labels"]).float()
    weights = torch.from_numpy(want["au_weights"])
    has_edges = "edge_before" in want.files
    recipe = stage_recipe("published", spec.system, spec.backbone, spec.stage)
    assert recipe.edge_weight == (info["lambda"] if has_edges else 0)
    assert recipe.sam_rho == (info["sam"]["rho"] if info["sam"] else None)
    objective = PictureObjective(network, recipe, weights, size=224)
    counts = Counts.of(labels, None, spec.au_names)
    seen, edges = [], []
    network.head.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    if has_edges:
        network.edge_fc.register_forward_hook(lambda _module, _inputs, out: edges.append(out.flatten(1, 2)))

    def loss_of():
        return objective(images, labels, None, (counts.labels, counts.pairs, counts.intensities))

    def backward():
        loss = loss_of()
        loss.backward()
        return loss.detach()

    # The gradient alone first: SAM does not keep it.
    with frozen_statistics(network):
        loss_of().backward()
    gradients = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    total = torch.nn.utils.get_total_norm(gradients.values())
    np.testing.assert_allclose(total.item(), want["grad_total_norm"], rtol=5e-3)
    gradients = from_ours(spec, gradients)
    for key, norm in items(want, "grad_norm__").items():
        np.testing.assert_allclose(gradients[key].norm().item(), norm, rtol=5e-3, err_msg=key)

    adamw = make_optimiser(objective, replace(recipe, rate=info["adamw"]["lr"]))
    set_rate(adamw, replace(recipe, rate=info["adamw"]["lr"]), 0, 100)
    for group in adamw.param_groups:
        for key, value in info["adamw"].items():
            assert group[key] == (tuple(value) if isinstance(value, list) else value), key
    seen.clear()
    edges.clear()
    if info["sam"]:
        before, perturbed = SAM(network, adamw, **info["sam"]).gradient(backward)
        np.testing.assert_allclose(perturbed.item(), want["loss_perturbed"], atol=1e-4)
        np.testing.assert_allclose(seen[1].detach(), want["prob_perturbed"], atol=2e-4)
    else:
        adamw.zero_grad()
        before = backward()
    adamw.step()
    np.testing.assert_allclose(before.item(), want["loss_before"], atol=1e-5)
    np.testing.assert_allclose(seen[0].detach(), want["prob_before"], atol=2e-5)
    if has_edges:
        logits = edges[0].detach()[:, ::7]
        np.testing.assert_allclose(logits, want["edge_logits_before"], atol=2e-3)

    after = from_ours(spec, network.state_dict())
    for key, value in items(want, "stat__").items():
        np.testing.assert_allclose(after[key].flatten()[:64], value, rtol=1e-4, atol=1e-5, err_msg=key)
    for key, value in items(want, "after_slice__").items():
        # AdamW's first step is about rate * sign(gradient): rounding decides where the gradient is tiny.
        gradient = np.abs(want[f"grad_slice__{key}"])
        clear = gradient > 1e-3 * gradient.max()
        difference = np.abs(sliced(after[key]) - value)
        assert difference.max() < 2.5e-4, key
        # SAM steps with another gradient than this one, so that the place of the tiny ones is not known.
        assert np.mean(difference < 1e-6) > 0.8 if info["sam"] else difference[clear].max() < 1e-6, key
    np.testing.assert_allclose(loss_of().item(), want["loss_after"], atol=5e-4)
    np.testing.assert_allclose(seen[-1].detach(), want["prob_after"], atol=1e-3)
    network.eval()
    np.testing.assert_allclose(network(images).probabilities.detach(), want["prob_eval_after"], atol=1e-3)


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_takes_the_gradient_at_the_edge_of_its_radius(adaptive):
    """Against the papers' formulas, written out for a loss whose gradient is known: sum of w^4 / 4."""
    start = torch.tensor([1.0, -2.0, 0.5])
    network = torch.nn.Module()
    network.w = torch.nn.Parameter(start.clone())
    sgd = torch.optim.SGD([network.w], lr=0.01)

    def backward():
        loss = network.w.pow(4).sum() / 4
        loss.backward()
        return loss

    before, sharp = SAM(network, sgd, rho=0.3, adaptive=adaptive).gradient(backward)
    torch.testing.assert_close(network.w.detach(), start, rtol=0, atol=0)
    sgd.step()
    gradient = start**3
    size = start.abs() if adaptive else torch.ones(3)
    nearby = start + 0.3 * size**2 * gradient / (size * gradient).norm()
    torch.testing.assert_close(before, start.pow(4).sum() / 4)
    torch.testing.assert_close(sharp, nearby.pow(4).sum() / 4)
    torch.testing.assert_close(network.w.detach(), start - 0.01 * nearby**3)


def test_sam_leaves_weights_and_momenta_as_they_were_when_a_pass_fails():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    weight = network[0].weight.detach().clone()
    calls = []

    def backward():
        calls.append(network[1].momentum)
        if len(calls) == 2:
            raise FloatingPointError("not finite")
        loss = network(torch.rand(4, 2)).square().sum() + network[0].weight.square().sum()
        loss.backward()
        return loss

    with pytest.raises(FloatingPointError):
        SAM(network, torch.optim.SGD(network.parameters(), lr=1.0)).gradient(backward)
    assert calls == [0.1, 0.0]
    assert network[1].momentum == 0.1
    torch.testing.assert_close(network[0].weight.detach(), weight, rtol=0, atol=0)
