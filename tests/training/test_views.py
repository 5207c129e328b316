"""What the network sees: exact crops, published and strong augmentation, and their random numbers."""

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.transforms import v2

from aucli.datasets.synthfaces import read_synthfaces
from aucli.datatypes import CropConvention
from aucli.faces.align import target_points
from aucli.training.crops import (
    Straying,
    centre_crops,
    normalised,
    packed_convention,
    packed_side,
    straying_crops,
)
from aucli.training.draws import Draws
from aucli.training.landmarks import in_packed_crops, in_views
from aucli.training.published_augment import jittered, random_crops
from aucli.training.views import SwapSides, Views
from aucli_models.au import AU_SETS

CONVENTION = CropConvention(size=56)
SIDE = packed_side(CONVENTION.size)


@pytest.fixture
def packed():
    """Smooth coloured pictures, uint8 (12, 64, 64, 3)."""
    torch.manual_seed(0)
    low = torch.rand(12, 3, 8, 8)
    high = torch.nn.functional.interpolate(low, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)
    return (high * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def draws(positions=range(12), **changed):
    return Draws(**({"seed": 3, "epoch": 2, "positions": np.array(positions)} | changed))


def test_draws_are_uniform_and_normal():
    many = draws(range(500))
    uniform, normal = many.uniform(200).flatten(), many.normal(200, scale=2.0).flatten()
    counts = torch.histc(uniform, 20, 0, 1) / len(uniform)
    assert (counts - 0.05).abs().max() < 0.003
    assert normal.mean().abs() < 0.02
    assert normal.std() == pytest.approx(2.0, abs=0.02)
    noise = many.noise((10, 10), torch.arange(500))
    assert noise.mean().abs() < 0.01
    assert noise.std() == pytest.approx(1.0, abs=0.01)
    assert many.chance(0.3).mean() == pytest.approx(0.3, abs=0.07)
    assert sorted(many.integers(below=5).unique().tolist()) == [0, 1, 2, 3, 4]
    correlation = torch.corrcoef(draws(range(5)).uniform(2000))
    assert (correlation - torch.eye(5)).abs().max() < 0.1


def test_a_draw_belongs_to_seed_epoch_place_purpose_and_turn():
    one = draws().uniform(3)
    torch.testing.assert_close(draws().uniform(3), one, rtol=0, atol=0)
    for other in ({"seed": 4}, {"seed": 3 + 2**32}, {"epoch": 3}, {"purpose": 1}):
        assert (draws(**other).uniform(3) != one).all()
    again = draws()
    again.uniform(1)
    assert (again.uniform(3) != one).all()


@pytest.mark.parametrize("augmentation", ["published", "strong"])
def test_a_view_does_not_depend_on_the_others_of_its_batch(packed, augmentation):
    views = Views(CONVENTION, augmentation, flip=True)
    view = views.training(packed, draws(), clean=0.5)
    whole, mirrored = view.images, view.flipped
    parts = [
        views.training(packed[part], draws(range(12)[part]), clean=0.5)
        for part in (slice(0, 5), slice(5, 6), slice(6, 12))
    ]
    torch.testing.assert_close(torch.cat([part.images for part in parts]), whole, rtol=1e-4, atol=1e-4)
    assert torch.cat([part.flipped for part in parts]).tolist() == mirrored.tolist()
    assert (views.training(packed, draws(epoch=3)).images - whole).abs().mean() > 0.05
    assert whole.shape == (12, 3, 56, 56)
    assert whole.isfinite().all()


def test_the_exact_view_is_the_centre(packed):
    view = Views(CONVENTION, "published", flip=True).exact(packed)
    want = v2.functional.center_crop(packed.permute(0, 3, 1, 2), [56, 56]).float() / 255
    want = v2.functional.normalize(want, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(view, want)


def test_the_packed_convention_has_the_crop_in_its_centre():
    assert (packed_side(224), packed_side(112)) == (256, 128)
    inner = target_points(CropConvention(224, 1.09, -0.2))
    outer = target_points(packed_convention(CropConvention(224, 1.09, -0.2), 256))
    np.testing.assert_allclose(outer, inner + 16)


def test_random_crops_are_parts_of_the_picture_and_half_are_mirrored(packed):
    numbers = torch.arange(SIDE * SIDE * 3).view(1, SIDE, SIDE, 3) % 251
    same = numbers.to(torch.uint8).expand(400, -1, -1, -1)
    crops, said = random_crops(same, 56, draws(range(400)), flip=True)
    mirrored, starts = 0, set()
    for crop, said_of_this in zip((crops * 255).round().long(), said.tolist(), strict=True):
        # The row that a crop begins with says where it was cut.
        for flipped in (False, True):
            upright = crop.flip(2) if flipped else crop
            found = [
                (y, x)
                for y in range(9)
                for x in range(9)
                if torch.equal(upright, same[0].permute(2, 0, 1)[:, y : y + 56, x : x + 56].long())
            ]
            if found:
                mirrored += flipped
                assert flipped == said_of_this
                starts.add(found[0])
                break
        else:
            raise AssertionError("not a part of the picture")
    assert 0.4 < mirrored / 400 < 0.6
    assert {y for y, _ in starts} == {x for _, x in starts} == set(range(9))  # 0 to 8: both ends
    plain, said = random_crops(same[:50], 56, draws(range(50)), flip=False)
    assert (len(plain), said.any()) == (50, False)


def test_jitter_is_torchvisions(packed):
    pictures = centre_crops(packed, 56)
    changes = (
        v2.functional.adjust_brightness,
        v2.functional.adjust_contrast,
        v2.functional.adjust_saturation,
    )
    factors = torch.rand(12, 3) * 0.8 + 0.6
    orders = draws().orders(3)
    assert len({tuple(order) for order in orders.tolist()}) > 3
    ours = jittered(pictures, factors, orders)
    for picture, factor, order, jitter in zip(pictures, factors, orders, ours, strict=True):
        want = picture
        for which in order.tolist():
            want = changes[which](want, factor[which].item())
        torch.testing.assert_close(jitter, want, rtol=0, atol=2e-3)  # torchvision's grey has fewer digits


def test_crops_that_do_not_stray_are_the_exact_ones(packed):
    still = Straying(points=0.0, rotation=0.0, log_scale=0.0, shift=0.0)
    crops, mirrored, _ = straying_crops(packed, CONVENTION, draws(), flip=False, straying=still)
    assert not mirrored.any()
    torch.testing.assert_close(crops, centre_crops(packed, 56), rtol=0, atol=1e-4)
    moved, *_ = straying_crops(packed, CONVENTION, draws(), flip=False)
    assert (moved - crops).abs().mean() > 0.01


def test_crops_that_do_not_stray_say_which_are_mirrored(packed):
    still = Straying(points=0.0, rotation=0.0, log_scale=0.0, shift=0.0)
    crops, mirrored, _ = straying_crops(packed, CONVENTION, draws(), flip=True, straying=still)
    assert 0 < mirrored.sum() < 12
    upright = centre_crops(packed, 56)
    for crop, flipped, want in zip(crops, mirrored, upright, strict=True):
        torch.testing.assert_close(crop, want.flip(2) if flipped else want, rtol=0, atol=1e-4)


def test_crops_that_stray_say_where_a_point_has_gone():
    """A bright spot is found at the place told, in mirrored crops too."""
    places = torch.from_numpy(np.random.default_rng(2).uniform(24, 40, (12, 2)))
    ticks = torch.arange(64.0)
    x, y = (ticks - places[:, None, :1]) ** 2, (ticks - places[:, None, 1:]) ** 2
    spots = torch.exp(-(y.mT + x) / (2 * 2.0**2)) * 255
    packed = spots.to(torch.uint8)[..., None].repeat(1, 1, 1, 3)
    crops, mirrored, to_view = straying_crops(packed, CONVENTION, draws(), flip=True)
    assert 0 < mirrored.sum() < 12
    told = (to_view @ torch.cat([places, torch.ones(12, 1)], 1)[..., None])[..., 0]
    weight = crops[:, 0].double().clamp(min=0.05) - 0.05
    size = torch.arange(crops.shape[-1], dtype=torch.float64)
    found = [(weight * along).sum((1, 2)) / weight.sum((1, 2)) for along in (size, size[:, None])]
    torch.testing.assert_close(torch.stack(found, 1), told, rtol=0, atol=0.2)


def test_landmarks_of_a_mirrored_face_are_those_of_the_mirrored_picture(few):
    """As the points of a symmetric face lie: pairs change places, the middle stays."""
    faces, _ = read_synthfaces(few)
    half = faces.landmarks[:4].copy()
    half[..., 0] = 159 - half[..., 0]
    mirror = torch.tensor([[[-1.0, 0, 159], [0, 1, 0]]], dtype=torch.float64).expand(4, 2, 3)
    landmarks = torch.from_numpy(faces.landmarks[:4])
    turned = in_views(landmarks, mirror, torch.ones(4, dtype=torch.bool))
    for left, right in ((0, 16), (17, 26), (31, 35), (36, 45), (40, 47), (48, 54), (60, 64)):
        assert (turned[:, left, 0] < turned[:, right, 0]).all()
        np.testing.assert_allclose(turned[:, left], half[:, right])
        np.testing.assert_allclose(turned[:, right], half[:, left])
    for middle in (8, 27, 30, 33, 51, 57, 62, 66):
        np.testing.assert_allclose(turned[:, middle], half[:, middle])
    # Rings of eyes and lips keep their order: no line of them crosses another.
    again = in_views(turned, mirror, torch.ones(4, dtype=torch.bool))
    torch.testing.assert_close(again, landmarks)
    eye, other, outer, inner = slice(36, 42), slice(42, 48), slice(48, 60), slice(60, 68)
    for ring, seen in ((eye, other), (other, eye), (outer, outer), (inner, inner)):
        torch.testing.assert_close(length(turned[:, ring]), length(landmarks[:, seen]))


def length(ring):
    return (ring.roll(1, 1) - ring).norm(dim=2).sum(1)


def test_landmarks_follow_the_crop(few):
    """The eyes' corners lie about the places of the eyes, in packed crops and in their centre."""
    faces, _ = read_synthfaces(few)
    placed = in_packed_crops(faces.landmarks, faces.points, CropConvention(112, 1.28, -0.17))
    targets = target_points(CropConvention(112, 1.28, -0.17)) + (packed_side(112) - 112) / 2
    for corners, target in zip((placed[:, 36:42], placed[:, 42:48]), targets, strict=False):
        away = np.linalg.norm(corners.mean(1) - target, axis=1) / 45
        assert np.median(away) < 0.1


@pytest.mark.parametrize("au_set", ["synth", "synth_sided", "hybrid"])
def test_mirrored_faces_swap_their_sides(au_set):
    """Against a table whose columns are renamed by hand."""
    aus = AU_SETS[au_set]
    values = pd.DataFrame(np.arange(3 * len(aus), dtype=np.float32).reshape(3, -1), columns=aus)
    values.iloc[1, 2] = np.nan
    other = {au: au[:-1] + {"L": "R", "R": "L"}[au[-1]] for au in aus if au[-1] in "LR"}
    assert len(other) == (0 if au_set == "synth" else 14)
    want = values.copy()
    want.iloc[1:] = values.rename(columns=other)[list(aus)].iloc[1:]
    swapped = SwapSides(aus, torch.device("cpu"))(
        torch.from_numpy(values.to_numpy(copy=True)), torch.tensor([False, True, True])
    )
    np.testing.assert_array_equal(swapped, want)


def test_normalised_has_channels_last():
    assert normalised(torch.rand(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)
