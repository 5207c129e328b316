"""Backbones against timm's and against independent formulas; ResNet-50 and Swin-T also have golden files."""

import numpy as np
import pytest
import timm
import torch

from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.mae_vit import sinusoid_positions
from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec, create_model


@pytest.mark.parametrize(
    ("name", "blocks", "rate"), [("swin_tiny", 12, 0.2), ("swin_small", 24, 0.3), ("swin_base", 24, 0.5)]
)
def test_swin_has_the_authors_stochastic_depth(name, blocks, rate):
    net = create_backbone(name).net
    rates = [getattr(b.drop_path1, "drop_prob", 0.0) for layer in net.layers for b in layer.blocks]
    np.testing.assert_allclose(rates, np.linspace(0, rate, blocks), atol=1e-6)
    assert net.norm.eps == net.patch_embed.norm.eps == 1e-5


def test_tables_written_for_a_swin_are_timms():
    spec = ModelSpec("me_graphau", "swin_tiny", "disfa", 1)
    network = create_model(spec)
    theirs = from_ours(spec, network.state_dict())
    ours = {f"backbone.{key}": value for key, value in network.backbone.net.named_buffers()}
    tables = {key for key in theirs if key.endswith(("relative_position_index", "attn_mask"))}
    assert tables == ours.keys()
    for key in tables:
        torch.testing.assert_close(theirs[key], ours[key], rtol=0, atol=0)


def test_mae_vit_equals_timms_vit_with_its_differences_taken_out():
    """timm's ViT-B/16 without class token, with these positions, and biases of keys that are zero."""
    torch.manual_seed(0)
    ours = create_backbone("mae_vit_base").eval()
    state = {key: torch.randn_like(value) * 0.02 for key, value in ours.net.state_dict().items()}
    state = {key: value + 1 if "norm" in key and "weight" in key else value for key, value in state.items()}
    ours.net.load_state_dict(state, strict=True)
    reference = timm.create_model(
        "vit_base_patch16_224", pretrained=False, num_classes=0, class_token=False, global_pool=""
    ).eval()
    for block in range(12):
        q, v = (state.pop(f"blocks.{block}.attn.{part}_bias") for part in "qv")
        state[f"blocks.{block}.attn.qkv.bias"] = torch.cat([q, torch.zeros_like(q), v])
    position, channel = np.meshgrid(np.arange(196), np.arange(768), indexing="ij")
    angle = position / 10_000 ** (2 * (channel // 2) / 768)
    table = np.where(channel % 2 == 0, np.sin(angle), np.cos(angle))
    state["pos_embed"] = torch.from_numpy(table).float().unsqueeze(0)
    reference.load_state_dict(state, strict=True)
    torch.testing.assert_close(sinusoid_positions(196, 768), state["pos_embed"][0], rtol=0, atol=1e-7)
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        got = ours(images)
        assert got.shape == (2, 196, BACKBONES["mae_vit_base"].in_channels)
        torch.testing.assert_close(got, reference.forward_features(images), rtol=1e-4, atol=1e-4)


def test_unknown_backbones_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'resnet34': choose one of resnet18, resnet50"):
        create_backbone("resnet34")
