"""The authors' keys: what a file holds is told from them, they become ours and back, mistakes are named."""

from functools import cache

import pytest
import torch

from aucli_models.official import from_ours, recognise, strip_module, to_ours
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden

RESNETS = ("resnet18", "resnet50", "resnet101")
SWINS = ("swin_tiny", "swin_small", "swin_base")

# Millions of parameters of stages 1 and 2, counted on the official code: BP4D, DISFA, OpenGraphAU.
PARAMETERS = {
    "resnet18": ((11.48, 11.69), (11.41, 11.62), (11.73, 11.95)),
    "resnet50": ((28.25, 31.67), (27.20, 30.61), (32.22, 35.64)),
    "resnet101": ((47.25, 50.66), (46.19, 49.60), (51.22, 54.63)),
    "swin_tiny": ((29.90, 31.82), (29.30, 31.22), (32.14, 34.06)),
    "swin_small": ((51.22, 53.14), (50.62, 52.54), (53.46, 55.38)),
    "swin_base": ((90.96, 94.38), (89.91, 93.32), (94.93, 98.35)),
}
SETS = (("me_graphau", "bp4d"), ("me_graphau", "disfa"), ("open_graphau", "hybrid"))
CONFIGURATIONS = [
    (ModelSpec(system, backbone, au_set, stage), PARAMETERS[backbone][column][stage - 1])
    for backbone in PARAMETERS
    for column, (system, au_set) in enumerate(SETS)
    for stage in (1, 2)
]
# ViT-B/16 without class token and key biases has 85.64 million; global_linear, AU blocks and graph as Swin-T.
CONFIGURATIONS += [(ModelSpec("open_graphau", "mae_vit_base", "hybrid", stage), None) for stage in (1, 2)]


def without_values(spec):
    """Names and shapes alone: random numbers for all of a network would take seconds."""
    with torch.device("meta"):
        return create_model(spec)


@pytest.mark.parametrize(
    ("spec", "millions"),
    CONFIGURATIONS,
    ids=[f"{s.backbone}-{s.au_set}-{s.stage}" for s, _ in CONFIGURATIONS],
)
def test_every_configuration_goes_there_and_back(spec, millions):
    network = without_values(spec)
    count = sum(p.numel() for p in network.parameters())
    if millions is None:
        same = without_values(ModelSpec(spec.system, "swin_tiny", spec.au_set, spec.stage))
        backbones = [sum(p.numel() for p in net.backbone.parameters()) for net in (network, same)]
        assert count - backbones[0] == sum(p.numel() for p in same.parameters()) - backbones[1]
        width = 768
        block = 12 * width**2 + (2 + 1 + 4 + 1 + 2 + 2) * width  # biases of q, v, proj, fc1, fc2; two norms
        assert backbones[0] == 12 * block + width * 16**2 * 3 + width + 2 * width
    else:
        assert count / 1e6 == pytest.approx(millions, abs=0.006)
    # Another value in every place of a tensor.
    state = {
        key: torch.arange(value.numel(), dtype=value.dtype).view(value.shape)
        for key, value in network.state_dict().items()
    }
    theirs = from_ours(spec, state)
    assert recognise(theirs) == spec
    back = to_ours(spec, theirs)
    network.load_state_dict(back, strict=True, assign=True)
    assert all(torch.equal(back[key], state[key]) for key in state)
    assert from_ours(spec, back).keys() == theirs.keys()


def test_keys_of_the_masked_autoencoder():
    """As in the authors' code; positions and the biases of keys are not in a file."""
    spec = ModelSpec("open_graphau", "mae_vit_base", "hybrid", 1)
    theirs = {
        key for key in from_ours(spec, without_values(spec).state_dict()) if key.startswith("backbone.")
    }
    leaves = ["norm1", "norm2", "attn.proj", "mlp.fc1", "mlp.fc2"]
    leaves = [f"{leaf}.{part}" for leaf in leaves for part in ("weight", "bias")]
    leaves += ["attn.qkv.weight", "attn.q_bias", "attn.v_bias"]
    want = {f"backbone.encoder.blocks.{block}.{leaf}" for block in range(12) for leaf in leaves}
    ends = ["patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias"]
    want |= {f"backbone.encoder.{leaf}" for leaf in ends}
    assert theirs == want


@cache
def official(name="me_resnet18_disfa_stage2"):
    return golden.official_state(name)


def test_module_is_stripped_once():
    state = official()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    assert strip_module(wrapped).keys() == state.keys()
    assert strip_module(state).keys() == state.keys()
    with pytest.raises(ValueError, match=r"head\.sc twice"):
        strip_module({**wrapped, "head.sc": state["head.sc"]})


def test_keys_that_are_not_theirs_pass_and_are_named():
    state = {**official(), "head.class_linears.8.fc.weight": torch.zeros(1), "stranger": torch.zeros(1)}
    spec = recognise(state)
    with pytest.raises(RuntimeError, match=r'Unexpected.*"stranger", "head\.class_linears\.8\.fc\.weight"'):
        create_model(spec).load_state_dict(to_ours(spec, state), strict=True)


def test_a_stage_1_file_is_not_taken_for_stage_2():
    """The authors' demo fills a network of the other stage and leaves its graph random, without a word."""
    state = official("me_resnet18_disfa_stage1")
    spec = ModelSpec("me_graphau", "resnet18", "disfa", 2)
    assert recognise(state).stage == 1
    with pytest.raises(RuntimeError, match=r"graph\.edge_features"):
        create_model(spec).load_state_dict(to_ours(spec, state), strict=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("head.class_linears.3.bn.bias"), r"lack head\.class_linears\.3\.bn\.bias"),
        (
            lambda s: s.update({"head.class_linears.3.fc.weight": torch.zeros(64, 128)}),
            r"class_linears\.3\.fc\.weight has the shape \(64, 128\) instead of \(128, 128\)",
        ),
        (
            lambda s: s.update({"head.class_linears.3.fc.weight": torch.zeros(128, 64)}),
            r"class_linears\.3\.fc\.weight has the shape \(128, 64\) instead of \(128, 128\)",
        ),
        (
            lambda s: s.update({"graph.edge_features.edge_proj.bias": torch.zeros(128)}),
            r"graph\.edge_features\.edge_proj\.bias means the same weights",
        ),
    ],
)
def test_parts_that_cannot_be_joined_are_named(change, message):
    state = dict(official())
    change(state)
    with pytest.raises(ValueError, match=message):
        to_ours(recognise(state), state)


@pytest.mark.parametrize(
    "key",
    ["backbone.layers.1.blocks.1.attn_mask", "backbone.layers.3.blocks.0.attn.relative_position_index"],
)
def test_tables_of_another_swin_are_refused(key):
    spec = ModelSpec("me_graphau", "swin_tiny", "disfa", 1)
    state = from_ours(spec, create_model(spec).state_dict())
    state[key] = state[key] * 2
    with pytest.raises(ValueError, match=rf"{key} is not that of a Swin".replace(".", r"\.")):
        to_ours(spec, state)


def blocks(prefix, count, leaf):
    return {f"{prefix}{number}.{leaf}": torch.zeros(1) for number in range(count)}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "nothing in it"),
        ({"a": torch.zeros(1), "b.c": torch.zeros(1)}, "its 2 keys begin with a, b.c"),
        ({"epoch": 3, "state_dict": {}, "optimizer": {}}, "whole training checkpoint"),
        ({"state": {}, "param_groups": []}, "state of an optimiser"),
        ({"module.head.sc": torch.zeros(8, 4)}, "take 'module.' off"),
        ({"Backbone.conv1.weight": torch.zeros(1), "MFD.conv1.weight": torch.zeros(1)}, "MDHR"),
        ({"conv1.weight": torch.zeros(1), "layer1.0.conv1.weight": torch.zeros(1)}, "a ResNet alone"),
        ({"layers.0.blocks.0.norm1.weight": torch.zeros(1)}, "a Swin alone"),
        ({"blocks.0.norm1.weight": torch.zeros(1)}, "a vision transformer alone"),
        ({"encoder.blocks.0.norm1.weight": torch.zeros(1)}, "a masked autoencoder alone"),
        ({"linear_global.fc.weight": torch.zeros(1)}, "mexca"),
        ({"au_features.fc.weight": torch.zeros(1), "head.sc": torch.zeros(8, 4)}, "aucli's own keys"),
        ({"backbone.layer1.0.conv1.weight": torch.zeros(1)}, "another head on a backbone"),
        ({"backbone.layer1.0.conv1.weight": torch.zeros(1), "head.sc": torch.zeros(9, 4)}, "with 9 AUs"),
        (
            {
                "backbone.layer1.0.conv1.weight": torch.zeros(1),
                "head.main_sc": torch.zeros(27, 4),
                "head.sub_sc": torch.zeros(12, 4),
            },
            "27 main and 12 sided",
        ),
        (
            {"backbone.layer1.0.conv1.weight": torch.zeros(1), "head.main_sc": torch.zeros(27, 4)},
            r"lack head\.sub_sc",
        ),
        (
            {"head.sc": torch.zeros(8, 4), **blocks("backbone.layer3.", 6, "conv1.weight")},
            "ResNet with 6 basic blocks",
        ),
        (
            {
                "head.sc": torch.zeros(8, 4),
                "backbone.layer1.0.conv3.weight": torch.zeros(1),
                **blocks("backbone.layer3.", 36, "conv1.weight"),
            },
            "ResNet with 36 bottleneck blocks",
        ),
        (
            {
                "head.sc": torch.zeros(8, 4),
                "backbone.patch_embed.proj.weight": torch.zeros(192, 3, 4, 4),
                **blocks("backbone.layers.2.blocks.", 18, "norm1.weight"),
            },
            "Swin with 18 blocks in its third stage and 192 channels",
        ),
        (
            {"head.sc": torch.zeros(8, 4), **blocks("backbone.layers.2.blocks.", 6, "norm1.weight")},
            r"lack backbone\.patch_embed\.proj\.weight",
        ),
        (
            {
                "head.sc": torch.zeros(8, 4),
                "backbone.encoder.norm.weight": torch.zeros(1024),
                **blocks("backbone.encoder.blocks.", 24, "norm1.weight"),
            },
            "ViT with 24 blocks of 1024 channels",
        ),
    ],
)
def test_what_is_not_recognised_is_said(state, message):
    with pytest.raises(ValueError, match=message):
        recognise(state)
