"""Targets and read-out of heatmaps against the official code's."""

import numpy as np
import pytest
import torch

from aucli_models.au_points import au_of_point, heatmap_targets, point_names, points_per_au, read_out
from tests.models import golden, golden_scc


def test_the_authors_points():
    assert list(point_names("bp4d_intensity")) == golden_scc.manifest()["point_names"]
    assert sum(points_per_au("disfa_intensity")) == 24
    assert [name for name in point_names("disfa_intensity") if name[2:4] in ("04", "09", "12")] == [
        "AU04_1", "AU09_1", "AU09_2", "AU09_3", "AU12_1", "AU12_2",
    ]  # fmt: skip
    assert au_of_point("disfa_intensity")[4:6] == (2, 3)


def test_targets():
    want = golden.arrays("scc_heatmap_target")
    points, intensities = (torch.from_numpy(want[name]) for name in ("points", "intensity"))
    plain = heatmap_targets(points, torch.ones_like(intensities), 64).numpy()
    made = heatmap_targets(points, intensities, 64).numpy()
    assert made.dtype == np.float32
    np.testing.assert_allclose(plain[0].transpose(1, 2, 0), want["heatmap_sample0"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(made[0].transpose(1, 2, 0), want["target_sample0"], rtol=0, atol=5e-4)
    np.testing.assert_allclose(made.max((2, 3)), want["target_peak"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made.sum((2, 3)), want["target_sum"], rtol=1e-5, atol=1e-3)
    seen = want["intensity"] > 0
    np.testing.assert_array_equal(made.reshape(2, 10, -1).argmax(-1)[seen], want["argmax"][seen])


def test_read_out():
    maps, want = golden_scc.heatmaps(), golden.arrays("scc_readout")
    np.testing.assert_allclose(maps[:, ::16, ::16], want["heatmap_check"], rtol=1e-6)
    points, intensities = read_out(torch.from_numpy(maps.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_array_equal(points.numpy(), want["decoded"][..., :2])
    np.testing.assert_allclose(intensities.numpy(), want["decoded"][..., 2], rtol=0, atol=5.1e-4)
    assert float(intensities[3, 9]) < 0  # not cut off


def test_read_out_takes_the_first_of_equal_values():
    maps = torch.zeros(1, 1, 16, 16)
    maps[0, 0, 9, 4] = maps[0, 0, 9, 7] = maps[0, 0, 12, 2] = 51.0
    points, intensities = read_out(maps)
    assert points.tolist() == [[[16.0, 36.0]]]
    assert intensities.tolist() == [[pytest.approx(0.2)]]
    assert read_out(torch.full((1, 1, 16, 16), torch.nan))[1].isnan().all()


@pytest.mark.parametrize("side", [16, 28, 64])
def test_there_and_back(side):
    """The place comes back within the rounding to a pixel of the map, the intensity as it was."""
    generator = torch.Generator().manual_seed(side)
    points = torch.rand(4, 6, 2, generator=generator) * (4 * side - 12) + 4
    intensities = torch.rand(4, 6, generator=generator) * 5
    found, read = read_out(heatmap_targets(points, intensities, side))
    assert float((found - points).abs().max()) <= 2
    torch.testing.assert_close(read, intensities)
