import numpy as np
import pytest
import torch
from skimage import data

from aucli.faces.cuts import CutFinder, look_at
from tests.clips import pan_over, photo_astronaut, photo_t1


def cuts(pictures):
    finder = CutFinder()
    return [index for index, picture in enumerate(pictures) if finder.update(*look_at([tensor(picture)]))]


def tensor(picture):
    return torch.from_numpy(np.array(picture))


def scene(picture, count=3):
    return list(pan_over(picture, 320, 180, count))


@pytest.mark.parametrize("other", [photo_astronaut, data.coffee, data.chelsea, data.rocket])
def test_a_hard_cut_is_found(other):
    assert cuts(scene(photo_t1()) + scene(other()) + scene(photo_t1())) == [3, 6]


def test_a_pan_is_not_a_cut():
    picture = photo_t1()
    assert cuts(pan_over(picture, 320, 180, 20, travel=0.4)) == []
    assert cuts(pan_over(picture, 320, 180, 6, travel=0.9)) == []  # an eighth of the picture a frame


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.6, 3.0])
def test_a_flash_or_a_change_of_exposure_is_not_a_cut(gain):
    frames = [picture.astype(np.float32) for picture in scene(photo_t1(), 5)]
    frames[2] *= gain
    assert cuts(np.clip(frame, 0, 255).astype(np.uint8) for frame in frames) == []


def test_blank_pictures_are_left_out():
    first, second = scene(photo_t1()), scene(photo_astronaut())
    white, black = np.full_like(first[0], 255), np.zeros_like(first[0])
    assert cuts([*first, white, *first]) == []
    assert cuts([*first, black, black, *second]) == [5]


def test_noise_and_a_change_of_size_are_not_cuts():
    noise = np.random.default_rng(0).normal(0, 25, (180, 320, 3))
    frames = scene(photo_t1(), 4)
    frames[2] = np.clip(frames[2] + noise, 0, 255).astype(np.uint8)
    assert cuts(frames) == []
    assert cuts([*scene(photo_t1()), photo_t1()]) == []


def test_what_is_seen_of_a_picture_does_not_depend_on_the_others():
    pictures = [*scene(photo_t1()), np.zeros((180, 320, 3), np.uint8), *scene(photo_astronaut(), 5)]
    alone, together = CutFinder(), CutFinder()
    for picture, look in zip(pictures, look_at([tensor(picture) for picture in pictures]), strict=True):
        assert alone.update(*look_at([tensor(picture)])) == together.update(look)
        assert alone.state == together.state  # to the last bit
    assert len(alone.state) == 8 * (4**3 + 12**2)


def test_the_histogram_is_that_of_the_sampled_pixels():
    picture = photo_t1()[:180, :320]
    (look,) = look_at([tensor(picture)])
    sample = picture[2::5, 2::5]
    expected, _ = np.histogramdd(sample.reshape(-1, 3), bins=[np.arange(0, 257, 64)] * 3)
    np.testing.assert_allclose(look.histogram, expected.ravel() / (sample.size // 3))
    assert np.linalg.norm(look.grey) == pytest.approx(1)
