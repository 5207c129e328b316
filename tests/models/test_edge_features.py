"""The exact, cheap edge features and the wide AU block against the paper's plain form, in both modes."""

import pytest
import torch
import torch.nn.functional as F

import aucli_models.graph
from aucli_models.graph import EdgeFeatures
from aucli_models.layers import AUFeatures
from aucli_models.plain import PlainAUFeatures, PlainEdgeFeatures, to_plain
from aucli_models.registry import ModelSpec, create_model


def randomised(module):
    torch.manual_seed(0)
    for key, value in module.state_dict().items():
        if key.endswith(("bn.weight", "running_var")):
            torch.nn.init.uniform_(value, 0.5, 1.5)
        elif key.endswith(("bias", "running_mean")):
            torch.nn.init.normal_(value)
    return module


def compare(ours, reference, inputs):
    """Outputs, gradients of parameters and inputs, and statistics of two modules, in float64."""
    reference.load_state_dict(ours.state_dict(), strict=True)
    results = []
    for module in (ours, reference):
        copies = [x.clone().requires_grad_() for x in inputs]
        out = module(*copies)
        generator = torch.Generator().manual_seed(1)
        (out * torch.randn(out.shape, generator=generator, dtype=out.dtype)).sum().backward()
        gradients = {key: p.grad for key, p in module.named_parameters()}
        results.append(
            {"out": out, **gradients, **dict(module.named_buffers()), "inputs": [x.grad for x in copies]}
        )
    for key, got in results[0].items():
        torch.testing.assert_close(got, results[1][key], rtol=1e-9, atol=1e-9, msg=key)


@pytest.mark.parametrize("training", [False, True])
def test_edge_features_equal_the_plain_form(training):
    ours = randomised(EdgeFeatures(5, 16)).double().train(training)
    maps = F.relu(torch.randn(3, 5, 9, 16, dtype=torch.float64))
    tokens = F.relu(torch.randn(3, 9, 16, dtype=torch.float64))
    compare(ours, PlainEdgeFeatures(5, 16).double().train(training), [maps, tokens])
    assert int(ours.bn.num_batches_tracked) == training


@pytest.mark.parametrize("training", [False, True])
def test_wide_au_block_equals_separate_ones(training):
    ours = randomised(AUFeatures(16, 5)).double().train(training)
    tokens = torch.randn(3, 9, 16, dtype=torch.float64)
    compare(ours, PlainAUFeatures(16, 5).double().train(training), [tokens])


def all_at_once(rows, at):
    """What both forms are short for."""
    return (rows.unsqueeze(1) @ at.mT).softmax(-1).unflatten(2, at.shape[1:3]).mean(3)


def attention_inputs(spread):
    """Rows of `at` are weights, as in use: no logit is beyond the largest of `between`."""
    torch.manual_seed(0)
    at = torch.randn(2, 5, 7, 7, dtype=torch.float64).softmax(-1)
    between = spread * torch.randn(2, 7, 7, dtype=torch.float64)
    return (at @ between.unsqueeze(1)).flatten(1, 2), at, between.abs().amax((1, 2))


@pytest.mark.parametrize("largest", [2**26, 2 * 5 * 7 * 7 * 2, 1], ids=["at once", "in parts", "each AU"])
def test_form_for_gpus(largest, monkeypatch):
    monkeypatch.setattr(aucli_models.graph, "_LARGEST_ATTENTION", largest)
    rows, at, _ = attention_inputs(3.0)
    torch.testing.assert_close(aucli_models.graph._mean_attention(rows, at), all_at_once(rows, at))


@pytest.mark.parametrize("numbers", [300_000, 5 * 7 * 7 * 2, 1], ids=["at once", "in parts", "each AU"])
@pytest.mark.parametrize("spread", [3.0, 1e4], ids=["powers", "softmax"])
def test_form_for_cpus(numbers, spread, monkeypatch):
    """Also where a power would overflow: the second picture's logits go into the thousands."""
    monkeypatch.setattr(aucli_models.graph, "_CACHED_NUMBERS", numbers)
    rows, at, largest = attention_inputs(torch.tensor([3.0, spread]).view(2, 1, 1))
    got = aucli_models.graph._mean_attention_in_cache(rows, at, largest)
    torch.testing.assert_close(got, all_at_once(rows, at))
    assert got.isfinite().all()


def test_frozen_batch_norm_uses_and_keeps_its_statistics():
    """Train mode with the norm in eval mode, as when statistics are frozen."""
    ours = randomised(EdgeFeatures(3, 8)).double().train()
    ours.bn.eval()
    before = ours.bn.running_mean.clone()
    compare(
        ours,
        PlainEdgeFeatures(3, 8).double().eval(),
        [torch.randn(2, 3, 4, 8, dtype=torch.float64), torch.randn(2, 4, 8, dtype=torch.float64)],
    )
    torch.testing.assert_close(ours.bn.running_mean, before)


def test_training_keeps_no_map_of_every_pair():
    """The largest tensor kept for the backward pass, of 12 AUs with 49 tokens."""
    largest = 0

    def measure(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    aus, tokens, channels = 12, 49, 64
    maps = torch.rand(2, aus, tokens, channels, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(measure, lambda tensor: tensor):
        EdgeFeatures(aus, channels)(maps, torch.rand(2, tokens, channels)).sum().backward()
    # As large as the AUs' maps, which are kept anyway; a map of each pair would be 12 times that.
    assert largest == maps.numel()


@pytest.mark.parametrize(("system", "au_set"), [("me_graphau", "disfa"), ("open_graphau", "hybrid")])
@pytest.mark.parametrize("training", [False, True])
def test_whole_network_equals_its_plain_form(system, au_set, training):
    torch.manual_seed(0)
    network = create_model(ModelSpec(system, "resnet18", au_set, 2)).train(training)
    plain = to_plain(network)
    assert plain.state_dict().keys() == network.state_dict().keys()
    assert isinstance(plain.graph.edge_features, PlainEdgeFeatures)
    assert not isinstance(network.graph.edge_features, PlainEdgeFeatures)
    images = torch.randn(2, 3, 96, 96)  # 9 tokens: ResNets take any size
    torch.testing.assert_close(network(images).probabilities, plain(images).probabilities, rtol=0, atol=1e-5)
