import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from skimage.transform import SimilarityTransform

from aucli.datatypes import CropConvention
from aucli.faces.align import TEMPLATE, crop_faces, similarity, target_points
from tests.clips import photo_astronaut
from tests.faces.stream import batch_of

# The astronaut's eyes, nose and mouth corners, by eye.
LANDMARKS = np.array([[[205, 101], [246, 102], [225, 129], [201, 140], [245, 141]]], np.float32)
CONVENTIONS = [CropConvention(), CropConvention(112, 1.0, 0.0), CropConvention(224, 0.8, 0.05)]


def turned(landmarks, degrees, scale, shift):
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (landmarks @ matrix.T + shift).astype(np.float32)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_similarity_equals_scikit_image(convention):
    noise = np.random.default_rng(0).normal(0, 4, (40, 5, 2)).astype(np.float32)
    faces = np.concatenate(
        [turned(LANDMARKS, angle, 1 + angle / 300, [angle, 5]) for angle in range(-180, 180, 9)]
    )
    faces = faces + noise
    ours = similarity(faces, convention)
    assert ours.shape == (40, 2, 3)
    for matrix, face in zip(ours, faces, strict=True):
        theirs = SimilarityTransform.from_estimate(face.astype(np.float64), target_points(convention)).params[
            :2
        ]
        np.testing.assert_allclose(matrix, theirs, rtol=1e-9, atol=1e-9)


def test_similarity_never_mirrors():
    mirrored = LANDMARKS * [-1, 1]
    assert (np.linalg.det(similarity(mirrored.astype(np.float32), CropConvention())[:, :, :2]) > 0).all()


def test_template_points_go_where_the_convention_says():
    convention = CropConvention(size=100, scale=0.5, shift_y=-0.1)
    np.testing.assert_allclose(target_points(convention), 50 + 50 * (TEMPLATE - 0.5) + [0, -10])
    np.testing.assert_allclose(target_points(CropConvention(112, 1.0, 0.0))[0], [38.2946, 51.6963])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_crop_equals_scipy_interpolation(convention):
    picture = photo_astronaut()
    landmarks = turned(LANDMARKS, 17, 1.0, [60, -40])
    crop = crop_faces(batch_of(picture), np.zeros(1, int), landmarks, convention)[0].numpy()
    matrix = np.vstack([similarity(landmarks, convention)[0], [0, 0, 1]])
    column, row = np.meshgrid(np.arange(convention.size), np.arange(convention.size))
    places = np.linalg.inv(matrix) @ np.stack([column.ravel(), row.ravel(), np.ones(column.size)])
    assert np.linalg.det(matrix) ** -0.5 < 1.5  # not averaged beforehand
    for channel in range(3):
        sampled = map_coordinates(picture[..., channel].astype(float), places[1::-1], order=1, mode="nearest")
        np.testing.assert_allclose(crop[channel].ravel(), sampled, atol=1e-3)


def test_crop_beyond_the_edge_repeats_it():
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, :40] = (200, 100, 50)
    landmarks = LANDMARKS - LANDMARKS.mean(axis=1, keepdims=True) + [0, 30]  # centred on the left edge
    crop = crop_faces(batch_of(picture), np.zeros(1, int), landmarks.astype(np.float32), CropConvention())[0]
    np.testing.assert_allclose(crop[:, 50, 0], [200, 100, 50], atol=1e-4)
    far = landmarks.astype(np.float32) + np.float32(1e5)
    crop = crop_faces(batch_of(picture), np.zeros(1, int), far, CropConvention())[0]
    assert (crop == 0).all()


@pytest.mark.parametrize("enlarged", [2, 3, 5])
def test_large_faces_are_averaged_not_skipped(enlarged):
    # Stripes of one pixel: a crop that skips pixels shows a pattern, one that averages shows grey.
    picture = np.zeros((900, 900, 3), np.uint8)
    picture[:, ::2] = 255
    points = (LANDMARKS - LANDMARKS.mean(axis=1, keepdims=True)) * 1.25 * enlarged + 450
    crop = crop_faces(batch_of(picture), np.zeros(1, int), points.astype(np.float32), CropConvention())[0]
    assert 100 < float(crop.mean()) < 155
    assert float(crop.std()) < 45  # without averaging 90 and more


def test_a_crop_does_not_depend_on_the_others():
    first = photo_astronaut()
    pictures = batch_of(first, first[::-1])
    faces = np.concatenate(
        [
            turned(LANDMARKS, 0, 1, 0),
            turned(LANDMARKS, 30, 2.2, [-200, -100]),
            turned(LANDMARKS, -8, 0.3, [90, 90]),
        ]
        * 2
    )
    index = np.array([0, 0, 0, 1, 1, 1])
    together = crop_faces(pictures, index, faces, CropConvention())
    assert together.shape == (6, 3, 112, 112)
    for number in range(6):
        alone = crop_faces(
            pictures[index[number]][None], np.zeros(1, int), faces[number : number + 1], CropConvention()
        )
        torch.testing.assert_close(together[number], alone[0], rtol=1e-6, atol=1e-5)


def test_no_faces_no_crops():
    none = crop_faces(
        batch_of(photo_astronaut()), np.zeros(0, int), np.zeros((0, 5, 2), np.float32), CropConvention()
    )
    assert none.shape == (0, 3, 112, 112)
