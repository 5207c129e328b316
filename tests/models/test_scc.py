"""SCC against the official code's numbers, with its weights by formula; and its other forms."""

import numpy as np
import pytest
import torch

from aucli_models.au import AU_SETS
from aucli_models.correspondence import nearest
from aucli_models.fold import folded
from aucli_models.plain import to_plain
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden, golden_scc

TINY = ModelSpec("scc", "resnet10_small", "bp4d_intensity", 1, 112, intensity=True)


@pytest.mark.parametrize("index", [0, 1])
def test_official_numbers(index):
    """Tolerances of the golden README: heatmaps 0.1 of 1e3, intensities 2e-3, places exact."""
    want = golden.arrays(golden_scc.NAME)
    spec, network = golden_scc.network()
    assert (spec.au_set, spec.node_layout) == ("bp4d_intensity", "authors")
    name = golden_scc.manifest()["image_names"][index]
    images = golden_scc.network_input(golden_scc.picture(name))
    maps = network.backbone(images).mT.view(1, 2048, 8, 8)
    close(maps.mean((2, 3))[0], want[f"image{index}_block4_chmean"], 1e-4)
    for level, doubling in enumerate(network.doublings, 1):
        up = doubling.up(maps)
        close(up.mean((2, 3))[0], want[f"image{index}_up{level}_chmean"], 1e-4)
        near = nearest(doubling.correspondence.to_nodes(up))[0].numpy()
        np.testing.assert_array_equal(np.sort(near), np.sort(want[f"image{index}_knn{level}"]))
        maps = doubling.correspondence(up)
        step = 2**level
        sample = maps[0, ::4, ::step, ::step].permute(1, 2, 0)
        close(sample, want[f"image{index}_scc{level}_sample"], 1e-4)
    output = network(images)
    np.testing.assert_allclose(
        output.heatmaps[0].permute(1, 2, 0).numpy(), want["heatmaps"][index], rtol=0, atol=0.1
    )
    decoded = want["decoded"][index]
    np.testing.assert_array_equal(output.points[0].numpy(), decoded[:, :2])
    merged = decoded[:, 2].reshape(5, 2).mean(1)
    np.testing.assert_allclose(output.intensities[0].numpy(), merged, rtol=0, atol=2e-3)


def close(got, want, relative):
    np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=relative * np.abs(want).max())


def test_an_aus_intensity_is_the_mean_of_its_points():
    torch.manual_seed(0)
    network = create_model(ModelSpec("scc", "resnet10_small", "disfa_intensity", 1, 112)).eval()
    with torch.inference_mode():
        output = network(torch.randn(2, 3, 112, 112))
    assert output.heatmaps.shape == (2, 24, 28, 28)
    peaks = output.heatmaps.amax((2, 3)) / 255
    aus = AU_SETS["disfa_intensity"]
    torch.testing.assert_close(output.intensities[:, aus.index("AU4")], peaks[:, 4])
    torch.testing.assert_close(output.intensities[:, aus.index("AU9")], peaks[:, 9:12].mean(1))
    assert "intensities=(2, 12)" in repr(output)


@pytest.mark.parametrize("layout", ["authors", "channels"])
def test_plain_and_folded_forms_give_the_same(layout):
    torch.manual_seed(0)
    spec = ModelSpec("scc", "resnet10_small", "bp4d_intensity", 1, 112, node_layout=layout)
    network = create_model(spec)
    with torch.no_grad():
        network(torch.randn(8, 3, 112, 112))  # statistics of batch norms
    images = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        want = network.eval()(images).heatmaps
        scale = float(want.abs().max())
        for form in (to_plain(network), folded(network)):
            torch.testing.assert_close(form(images).heatmaps, want, rtol=0, atol=1e-5 * scale)


@torch.no_grad()
def test_layouts_are_different_networks():
    networks = []
    for layout in ("authors", "channels"):
        torch.manual_seed(0)
        networks.append(
            create_model(
                ModelSpec("scc", "resnet10_small", "bp4d_intensity", 1, 112, node_layout=layout)
            ).eval()
        )
    networks[1].load_state_dict(networks[0].state_dict(), strict=True)
    images = torch.randn(1, 3, 112, 112)
    first, second = (network(images).heatmaps for network in networks)
    assert float((first - second).abs().max()) > 0.01 * float(first.abs().max())


@torch.no_grad()
def test_bfloat16_gives_float32_near_it():
    torch.manual_seed(0)
    network = create_model(TINY)
    network(torch.randn(8, 3, 112, 112))
    images = torch.randn(2, 3, 112, 112)
    want = network.eval()(images)
    with torch.autocast("cpu", torch.bfloat16):
        got = network(images)
    assert got.heatmaps.dtype == got.intensities.dtype == torch.float32
    largest = float(want.heatmaps.abs().max())
    assert float((got.heatmaps - want.heatmaps).abs().mean()) < 0.02 * largest


@pytest.mark.parametrize(
    ("backbone", "size", "layout", "message"),
    [
        ("swin_tiny", 224, "channels", "needs the maps of a ResNet"),
        ("resnet18", 250, "channels", "250 pixels do not fit"),
        ("resnet10_small", 256, "channels", "256 pixels do not fit"),
        ("resnet18", 256, "pixels", "unknown node layout 'pixels'"),
        ("resnet34", 256, "channels", "unknown backbone 'resnet34'"),
    ],
)
def test_what_cannot_be_built(backbone, size, layout, message):
    with pytest.raises(ValueError, match=message):
        create_model(ModelSpec("scc", backbone, "bp4d_intensity", 1, size, node_layout=layout))
