"""The table of places: complete, symmetric, and in line with the authors' two sample annotations."""

import numpy as np
import pytest

from aucli.datasets.au_places import au_points, weights_of_landmarks
from aucli.errors import UsageError
from aucli_models.au_points import point_names


@pytest.mark.parametrize("au_set", ["bp4d_intensity", "disfa_intensity"])
def test_one_row_for_each_point(au_set):
    weights = weights_of_landmarks(au_set)
    assert weights.shape == (len(point_names(au_set)), 68)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)


def test_points_lie_where_the_authors_samples_have_them():
    """Their AU 12 is at the lip corners, and twice their AU 14 less AU 12 is a point of the jaw."""
    landmarks = np.random.default_rng(0).uniform(0, 256, (2, 68, 2)).astype(np.float32)
    points = au_points(landmarks, "bp4d_intensity")
    names = point_names("bp4d_intensity")
    at = {name: points[:, place] for place, name in enumerate(names)}
    np.testing.assert_allclose(at["AU12_1"], landmarks[:, 48], rtol=1e-6)
    np.testing.assert_allclose(2 * at["AU14_2"] - at["AU12_2"], landmarks[:, 13], rtol=1e-4)
    np.testing.assert_allclose(2 * at["AU17_2"] - at["AU17_1"], landmarks[:, 8], rtol=1e-4)


def test_a_set_without_places_is_refused():
    with pytest.raises(UsageError, match=r"--au-set bp4d: .* none for AU7, AU23, AU24"):
        weights_of_landmarks("bp4d")
