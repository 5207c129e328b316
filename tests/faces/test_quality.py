import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, laplace
from scipy.spatial.transform import Rotation

from aucli.datatypes import Faces
from aucli.faces.align import TEMPLATE
from aucli.faces.quality import HEAD_POINTS, pose_degrees, sharpness
from aucli.faces.valid import VALID_RULE, valid

# 60 rendered faces with known angles: true points (p) and what MTCNN finds (mtcnn).
SAMPLE = Path(__file__).with_name("pose_sample.csv")


def sample(points):
    with SAMPLE.open() as file:
        rows = list(csv.DictReader(file))
    landmarks = np.array(
        [[[float(row[f"{points}{k}{xy}"]) for xy in "xy"] for k in range(5)] for row in rows]
    )
    return landmarks, np.array([[float(row[name]) for name in ("yaw", "pitch", "roll")] for row in rows])


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (40, 0, 0), (0, -25, 0), (0, 0, 30), (-35, 20, -15)]
)
def test_pose_of_a_projected_head_is_exact(yaw, pitch, roll):
    # Axes: x right in the picture, y down, z away. Own left is right in the picture, where the nose goes.
    rotation = Rotation.from_euler("xyz", [-pitch, -yaw, roll], degrees=True)
    # scipy turns about z clockwise for the eye when y points down; about x and y see the test below.
    points = 31.0 * rotation.apply(HEAD_POINTS)[:, :2] + [400, 250]
    np.testing.assert_allclose(pose_degrees(points[None])[0], [yaw, pitch, roll], atol=1e-3)


def test_signs_of_pose():
    straight = HEAD_POINTS[:, :2] * 60 + 100
    nose_right, nose_up = straight.copy(), straight.copy()
    nose_right[2, 0] += 10
    nose_up[2, 1] -= 10
    tilted = straight.copy()
    tilted[[1, 4], 1] += 10  # the right half of the picture's face goes down: clockwise
    pose = pose_degrees(np.stack([straight, nose_right, nose_up, tilted]))
    np.testing.assert_allclose(pose[0], 0, atol=1e-3)
    assert pose[1, 0] > 5
    assert pose[2, 1] > 5
    assert pose[3, 2] > 5


@pytest.mark.parametrize(("points", "largest_error"), [("mtcnn", (4, 6, 2)), ("p", (4, 7, 2))])
def test_pose_of_rendered_faces(points, largest_error):
    landmarks, angles = sample(points)
    error = np.abs(pose_degrees(landmarks) - angles).mean(axis=0)
    assert (error < largest_error).all(), error


def test_the_mean_face_of_arcface_looks_straight_ahead():
    # Its five points are the mean of many real, aligned faces.
    assert np.abs(pose_degrees(TEMPLATE[None])).max() < 3


def test_pose_of_unknown_landmarks_is_unknown():
    landmarks = np.stack([HEAD_POINTS[:, :2], np.full((5, 2), np.nan)])
    pose = pose_degrees(landmarks)
    assert np.isfinite(pose[0]).all()
    assert np.isnan(pose[1]).all()
    assert pose_degrees(np.zeros((0, 5, 2), np.float32)).shape == (0, 3)


def test_sharpness_is_the_variance_of_the_laplacian():
    grey = np.random.default_rng(0).uniform(0, 255, (3, 40, 40))
    grey[1] = gaussian_filter(grey[1], 1)
    grey[2] = 80
    crops = torch.from_numpy(np.repeat(grey[:, None], 3, axis=1)).float()
    expected = [laplace(one)[1:-1, 1:-1].var() for one in grey]
    np.testing.assert_allclose(sharpness(crops), expected, rtol=1e-4, atol=1e-6)
    assert sharpness(crops[:0]).shape == (0,)


def test_valid_follows_its_rule():
    good = Faces(
        np.array([[10, 10, 60, 70]], np.float32),
        np.array([0.95], np.float32),
        (HEAD_POINTS[None, :, :2] * 25 + 40).astype(np.float32),
    )
    straight = np.zeros((1, 3), np.float32)
    assert valid(good, straight, 200, 100).tolist() == [True]
    assert valid(good, straight, 50, 100).tolist() == [False]  # landmarks outside
    assert valid(good, straight + np.array([46, 0, 0]), 200, 100).tolist() == [False]
    assert valid(good, straight + np.array([0, -41, 0]), 200, 100).tolist() == [False]
    assert valid(good, straight + np.array([0, 0, 120]), 200, 100).tolist() == [True]  # a tilted head is fine
    assert valid(good, straight * np.nan, 200, 100).tolist() == [False]
    unsure = Faces(good.boxes, np.array([0.85], np.float32), good.landmarks)
    assert valid(unsure, straight, 200, 100).tolist() == [False]
    assert valid(unsure, straight, 200, 100, sure_score=0.65).tolist() == [True]
    small = Faces(good.boxes * np.float32(0.7), good.scores, good.landmarks)
    assert valid(small, straight, 200, 100).tolist() == [False]
    assert valid(Faces.none(), straight[:0], 200, 100).shape == (0,)
    assert all(word in VALID_RULE for word in ("48 pixels", "yaw within 45", "pitch within 40"))
