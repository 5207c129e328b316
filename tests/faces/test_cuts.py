import numpy as np
import pytest
import torch
from skimage import data

from aucli.faces.cuts import CutFinder
from tests.clips import pan_over, photo_astronaut, photo_t1


def cuts(pictures):
    finder = CutFinder()
    return [
        index for index, picture in enumerate(pictures) if finder.update(torch.from_numpy(np.array(picture)))
    ]


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
